/*
 * scheduler_stale - jobs that are on record as running, and that no host has.
 *
 * Whoever leads records what hosts tell him. What ended while nobody led, or with a host that nobody watched any more, is told by
 * none: so who begins to lead, and who meets a host, compares the record with the world.
 */
#ifndef CONTROLLER_SCHEDULER_STALE_H
#define CONTROLLER_SCHEDULER_STALE_H

struct scheduler;
struct stale;

struct stale *stale_new(struct scheduler *s);
void stale_free(struct stale *st);
/* There may be some. */
void stale_suspect(struct stale *st);
/* We lead and know the world: look for them, if there may be some. What is found is recorded as down. */
void stale_look(struct stale *st);

#endif
