/*
 * acme - certificates for routes with auto_tls, got and renewed from an ACME server (RFC 8555) by one router for all.
 *
 * All of it is in etcd below ACME_PREFIX, which no API shows: who leads, the account's key, open challenges, how each
 * domain stands. What is got is stored with its route. Control thread only.
 */
#ifndef ROUTER_ACME_H
#define ROUTER_ACME_H

#include <stdbool.h>
#include <stdint.h>

#include "router/acme_decide.h"

struct acme;
struct event_base;
struct fl_err;
struct fl_etcd;
struct plane;
struct route;
struct sync;

#define ACME_PREFIX "/router-acme/"

/* All borrowed; NULL where there is none. */
struct acme_config {
	struct event_base *base;
	struct plane *plane;
	const char *directory, *email, *ca_file, *eab_kid, *eab_key; /* see acme_client.h */
	enum acme_challenge challenge; /* to try first */
	int retry_s; /* until the first try after a failure */
};

/* plane->challenge_tls is set on return. NULL with err. */
struct acme *acme_new(const struct acme_config *cfg, struct fl_err *err);
/* Begin. Both are borrowed. */
void acme_start(struct acme *a, struct fl_etcd *etcd, struct sync *sync);
/* Routes have changed. */
void acme_changed(struct acme *a);
/* Let another router go on at once: done is called, from the loop, when etcd knows, or does not answer; it may be NULL. */
void acme_stop(struct acme *a, void (*done)(void *arg), void *arg);
/* Before its etcd and sync; workers have ended. */
void acme_free(struct acme *a);

/* What the API says of a route with auto_tls: JSON, the caller's; a NULL: there is no ACME server. NULL: it has no auto_tls. */
char *acme_describe(const struct acme *a, const struct route *r);

/* Orders that worked, and that did not, of this router; a is not NULL. */
void acme_count(const struct acme *a, uint64_t *done, uint64_t *failed);

#endif
