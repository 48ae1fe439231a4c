/*
 * state - what host remembers over its own death: who it is, the cluster key, its jobs.
 *
 * One JSON file, only for root's eyes, written beside, synced and renamed: a reader never sees half of it.
 */
#ifndef HOST_STATE_H
#define HOST_STATE_H

#include <stdbool.h>
#include <stddef.h>

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
/*
 * Whether host can remember more, in bytes of JSON: what it writes must be read back whole, by itself and, of the jobs, by
 * who follows them. NO_SPACE.
 */
int state_check_room(const struct state *s, size_t more, struct fl_err *err);
/* Half of what can be remembered is: what is over must go soon. */
bool state_is_crowded(const struct state *s);
/* Write now what is not written yet. */
int state_flush(struct state *s, struct fl_err *err);

#endif
