/*
 * challenge - proofs that a host leads here, which ACME servers come to see: HTTP-01 (RFC 8555 section 8.3) and
 * TLS-ALPN-01 (RFC 8737).
 *
 * The control thread makes a set of all that are open; workers look at plane->challenges, which is NULL while there is none.
 */
#ifndef ROUTER_CHALLENGE_H
#define ROUTER_CHALLENGE_H

#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "libflynn/http_parse.h"

struct fl_err;
struct plane;
struct tls_cert;

#define CHALLENGE_PATH "/.well-known/acme-challenge/"
#define CHALLENGE_ALPN "acme-tls/1"
/* Open at one time; more are not answered. */
#define CHALLENGES_MAX 64

struct challenge {
	char *domain, *token, *key_auth;
	struct tls_cert *cert; /* what TLS-ALPN-01 shows */
};

struct challenge_set {
	size_t n;
	const struct challenge *items[]; /* borrowed */
};

/* Copies all. NULL with INVALID: domain cannot be in a certificate. */
struct challenge *challenge_new(const char *domain, const char *token, const char *key_auth, struct fl_err *err);
void challenge_free(void *challenge);

/* Workers, within their turn. */
/* What to answer to a request of a host for a path; NULL: it is no challenge's. */
const char *challenge_answer(const struct plane *plane, const char *host, size_t host_len, struct fl_span target);
/* The certificate to show to who offers CHALLENGE_ALPN for a host; NULL: no challenge of its is open. */
struct tls_cert *challenge_cert(const struct plane *plane, const char *host, size_t host_len);
/* Whether a ClientHello offers CHALLENGE_ALPN and nothing else, RFC 8737 section 3. From a client_hello_cb. */
bool challenge_is_hello(SSL *ssl);

/* The context of connections that show such a certificate: it agrees on CHALLENGE_ALPN alone. Free with SSL_CTX_free(3). */
SSL_CTX *challenge_ctx_new(struct plane *plane, struct fl_err *err);

#endif
