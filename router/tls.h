/*
 * tls - HTTPS by SNI: certificates of routes, and the one context of all connections.
 *
 * One SSL_CTX serves every worker and every route, so that session tickets work everywhere; the
 * certificate is put into the connection when its SNI is known.
 */
#ifndef ROUTER_TLS_H
#define ROUTER_TLS_H

#include <openssl/types.h>

struct fl_err;
struct plane;
struct tls_cert;

/* A certificate with its chain, and its key, from PEM: NULL with INVALID when they are not, or do not match. */
struct tls_cert *tls_cert_parse(const char *cert_pem, const char *key_pem, struct fl_err *err);
/* NULL is fine. */
void tls_cert_free(struct tls_cert *cert);

/* Looks names up in the plane's table. Free with SSL_CTX_free(3). */
SSL_CTX *tls_ctx_new(struct plane *plane, struct fl_err *err);

#endif
