/*
 * launcher - whose turn it is to be launched.
 *
 * After a start of the machine everything wants to run at once. Layer 0 goes first, one after the other, each
 * waiting until the one before it answers; then the platform, oldest first; then apps. Only so many launch at a time:
 * the engine is slower with more.
 */
#ifndef HOST_LAUNCHER_H
#define HOST_LAUNCHER_H

struct host;
struct job;
struct launcher;

struct launcher *launcher_new(struct host *h);
void launcher_free(struct launcher *l);

/* What runs is known now: launching may begin. Layer 0 holds the others up from now on, for a bounded time. */
void launcher_open(struct launcher *l);
/* Queue a job; it enters QUEUED. */
void launcher_enqueue(struct job *j);
/* It is launched, or will not be: give back its place. */
void launcher_leave(struct job *j);
/* The first of the queue, borrowed; the next of one; NULL at the end. */
struct job *launcher_first(const struct launcher *l);
struct job *launcher_next(const struct job *j);
/* Look again, from the loop: the engine is back, or a job of layer 0 came up. */
void launcher_pump(struct launcher *l);

#endif
