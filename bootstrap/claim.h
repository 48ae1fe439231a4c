/*
 * claim - being the one who makes the cluster: a stream from host that lasts as long as we do.
 */
#ifndef BOOTSTRAP_CLAIM_H
#define BOOTSTRAP_CLAIM_H

struct bootstrap;
struct claim;
struct fl_err;

struct claim_ops {
	void (*on_granted)(const char *key, const char *host_id, void *arg);
	/* Not granted (CONFLICT: the host belongs to a cluster), or lost. Once. */
	void (*on_failed)(const struct fl_err *err, void *arg);
};

/* host_addr "ip:1113"; copied. Unreachable hosts are tried again for 30 s. */
struct claim *claim_start(struct bootstrap *b, const char *host_addr, const struct claim_ops *ops);
void claim_free(struct claim *c);

#endif
