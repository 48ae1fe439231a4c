/*
 * claim - who may make a cluster of this host: the first bootstrap that asks, and is handed the key.
 *
 * A claim lives as long as its connection. One that ends before its bootstrap said that the cluster is complete is
 * void, and the next one starts from a wiped host with another key. Once complete, nobody is handed the key again.
 */
#ifndef HOST_CLAIM_H
#define HOST_CLAIM_H

#include <stdbool.h>

struct claim;
struct fl_err;
struct fl_http_req;
struct host;

struct claim *claim_new(struct host *h);
void claim_free(struct claim *c);

/* "none", "held" or "complete": how it is written down. */
const char *claim_name(const struct claim *c);
void claim_set(struct claim *c, const char *name);
bool claim_is_complete(const struct claim *c);

/* Answer a bootstrap: with the key, once layer 0 is up, or with why not. */
void claim_request(struct claim *c, struct fl_http_req *req);
/* The cluster stands. */
int claim_complete(struct claim *c, struct fl_err *err);
/* Layer 0 changed: whoever waits for it may have an answer. */
void claim_look(struct claim *c);

#endif
