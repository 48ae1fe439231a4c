/*
 * acme_client - signed requests to one ACME server (RFC 8555 section 6), one after the other: it fetches the directory, has
 * nonces, and makes or finds the account before the first.
 *
 * Control thread only.
 */
#ifndef ROUTER_ACME_CLIENT_H
#define ROUTER_ACME_CLIENT_H

#include <openssl/types.h>
#include <stdint.h>

struct acme_call;
struct acme_client;
struct acme_reply;
struct event_base;
struct fl_err;

/* All borrowed; NULL where there is none. */
struct acme_client_config {
	struct event_base *base;
	const char *directory; /* https, or http for tests */
	const char *ca_file;   /* PEM of the authorities to trust with the server; NULL: the system's */
	const char *email;     /* of the account */
	const char *eab_kid;   /* external account binding, RFC 8555 section 7.3.4, */
	const char *eab_key;   /* with its key as base64url */
};

/* -1 with INVALID: a value cannot be used. */
int acme_client_check(const struct acme_client_config *cfg, struct fl_err *err);
/* cfg was checked. Takes a reference of key, the account's. */
struct acme_client *acme_client_new(const struct acme_client_config *cfg, EVP_PKEY *key);
/* Cancels all calls. Not from a callback of one. */
void acme_client_free(struct acme_client *c);
EVP_PKEY *acme_client_key(const struct acme_client *c);

/*
 * Exactly once, from the loop, never inside start. err NULL: a 2xx; else reply, when not NULL, is the answer that was a
 * problem, and err its sentence. All borrowed for the call.
 */
typedef void (*acme_call_cb)(const struct acme_reply *reply, const struct fl_err *err, void *arg);

/* Where new orders are asked for. */
#define ACME_NEW_ORDER NULL

/*
 * POST payload, which is JSON, signed; NULL: POST-as-GET. A nonce that the server refuses is replaced, three times at most.
 * The handle is borrowed until cb has run.
 */
struct acme_call *acme_client_post(struct acme_client *c, const char *url, const char *payload, acme_call_cb cb, void *arg);
void acme_call_cancel(struct acme_call *call);

#endif
