/*
 * listener - accepts connections and gives each to a process of its own.
 */
#ifndef GITRECEIVE_LISTENER_H
#define GITRECEIVE_LISTENER_H

#include <stddef.h>

struct event_base;
struct fl_err;
struct listener;
struct places;

/*
 * All addresses. Over max sessions at once, the oldest whose client has not logged in ends for a further one, which is
 * closed at once when all have; both with a log line. A session lets go of its standard output when its client has.
 */
struct listener *listener_start(struct event_base *base, int port, int max_sessions, const struct places *places, struct fl_err *err);
size_t listener_sessions(const struct listener *l);
/* Stop accepting; cb once the last session has ended. */
void listener_drain(struct listener *l, void (*cb)(void *arg), void *arg);
/* Kills the sessions left. */
void listener_free(struct listener *l);

#endif
