/*
 * acme_order - one order for a certificate, from its first request to the certificate's text.
 *
 * What comes after what is decided in acme_decide.h; here it is done: requests, the challenge in etcd for all routers to
 * answer, waits. It ends by itself after ACME_ORDER_S at the latest. Control thread only.
 */
#ifndef ROUTER_ACME_ORDER_H
#define ROUTER_ACME_ORDER_H

#include <stdint.h>

#include "router/acme_decide.h"

struct acme_client;
struct acme_order;
struct event_base;
struct fl_err;
struct fl_etcd;

#define ACME_CHALLENGE_PREFIX "/router-acme/challenges/"
#define ACME_ORDER_S 300

struct acme_order_config {
	struct event_base *base;
	struct acme_client *client;
	struct fl_etcd *etcd;
	const char *domain; /* copied */
	enum acme_challenge wants;
};

/* What came of it; all borrowed for the call. */
struct acme_outcome {
	const char *cert_pem, *key_pem; /* NULL when err is set */
	const struct fl_err *err;	/* NULL: done */
	int64_t retry_after_s;		/* when the server wants to be asked again; -1: it has not said */
	enum acme_challenge tried;
};

/* cb exactly once, from the loop, never inside start; none after a cancel. The order has ended then, and is free to go. */
struct acme_order *acme_order_start(const struct acme_order_config *cfg,
    void (*cb)(struct acme_order *o, const struct acme_outcome *outcome, void *arg), void *arg);
/* It was not done, or has ended: either way it is freed, when etcd has answered what it was asked. */
void acme_order_free(struct acme_order *o);
/* As free, when its etcd answers no more as it is freed next. */
void acme_order_drop(struct acme_order *o);

#endif
