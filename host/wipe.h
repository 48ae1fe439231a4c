/*
 * wipe - make the host as if it had never run a job: containers, volumes, registrations and the key go.
 */
#ifndef HOST_WIPE_H
#define HOST_WIPE_H

struct fl_err;
struct host;
struct wipe;

/*
 * The host's jobs are forgotten before this returns. cb once, from the loop, when the engine has nothing of ours any
 * more, or err says what cannot be removed. None after a cancel.
 */
struct wipe *wipe_start(struct host *h, void (*cb)(const struct fl_err *err, void *arg), void *arg);
void wipe_cancel(struct wipe *w);

#endif
