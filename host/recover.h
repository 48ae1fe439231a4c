/*
 * recover - what a host that lost its state can learn from the engine: its jobs from the labels of their containers,
 * the cluster key from the environment of one that has it, the claim from the volume that marks it.
 */
#ifndef HOST_RECOVER_H
#define HOST_RECOVER_H

struct fl_json;
struct host;
struct job;
struct recover;

/*
 * Make sure that the host has a key: the one it knows, the one that its containers have, or a new one. cb once, from the
 * loop, with containers, the engine's list, which is owned from now on and borrowed by cb. None after a cancel.
 */
struct recover *recover_start(struct host *h, struct fl_json *containers,
    void (*cb)(const struct fl_json *containers, void *arg), void *arg);
void recover_cancel(struct recover *r);

/* The job that the labels of a container tell of; NULL when they do not. */
struct job *recover_job(struct host *h, const struct fl_json *container);

#endif
