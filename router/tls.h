/*
 * tls - HTTPS by SNI: certificates of routes, and the one context of all connections.
 *
 * One SSL_CTX serves every worker and every route, so that session tickets work everywhere; the
 * certificate is put into the connection when its SNI is known: before a ticket is looked at, so
 * that a session is resumed only under the certificate and the name that it began with (RFC 6066
 * section 3, RFC 8446 section 4.6.1).
 */
#ifndef ROUTER_TLS_H
#define ROUTER_TLS_H

#include <openssl/types.h>
#include <stdbool.h>
#include <stdint.h>

struct fl_err;
struct plane;
struct tls_cert;

/* A certificate with its chain, and its key, from PEM: NULL with INVALID when they are not, or do not match. */
struct tls_cert *tls_cert_parse(const char *cert_pem, const char *key_pem, struct fl_err *err);
/* Whether clients take it for the host's, whatever its dates; and these, in seconds since 1970. */
bool tls_cert_is_for(const struct tls_cert *cert, const char *host);
void tls_cert_times(const struct tls_cert *cert, int64_t *not_before, int64_t *not_after);
/* NULL is fine. */
void tls_cert_free(struct tls_cert *cert);

/*
 * The certificate of clients that name no host, or one without a certificate, by an option's value: the path of a
 * PEM file with the chain and its key; or that PEM itself; or "self", for one made on the spot.
 */
struct tls_cert *tls_cert_default(const char *from, struct fl_err *err);

/*
 * Looks names up in the plane's table; tickets live for session_s seconds. Free with SSL_CTX_free(3). Its app data
 * is the plane, and so must be that of every context that a connection is switched to.
 */
SSL_CTX *tls_ctx_new(struct plane *plane, int session_s, struct fl_err *err);

#endif
