/*
 * state - what host remembers over its own death: who it is, the cluster key, its jobs.
 *
 * One JSON file, only for root's eyes, written beside, synced and renamed: a reader never sees half of it.
 */
#ifndef HOST_STATE_H
#define HOST_STATE_H

#include <stdbool.h>

struct fl_err;
struct host;
struct state;

/*
 * Read the file into the host; no file is an empty state. Fails when there is one that cannot be read or understood:
 * whoever forgets what runs does harm.
 */
struct state *state_load(struct host *h, struct fl_err *err);
void state_free(struct state *s);
/* Something changed: it is written before the loop waits again. */
void state_touch(struct state *s);
/* Write now what is not written yet. */
int state_flush(struct state *s, struct fl_err *err);

#endif
