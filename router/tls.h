/*
 * tls - HTTPS by SNI: the one context of all connections.
 *
 * One SSL_CTX serves every worker and every route, so that session tickets work everywhere; the
 * certificate is put into the connection when its SNI is known: before a ticket is looked at, so
 * that a session is resumed only under the certificate and the name that it began with (RFC 6066
 * section 3, RFC 8446 section 4.6.1).
 */
#ifndef ROUTER_TLS_H
#define ROUTER_TLS_H

#include <openssl/types.h>

struct fl_err;
struct plane;

/*
 * Looks names up in the plane's table; tickets live for session_s seconds. Free with SSL_CTX_free(3). Its app data
 * is the plane, and so must be that of every context that a connection is switched to.
 */
SSL_CTX *tls_ctx_new(struct plane *plane, int session_s, struct fl_err *err);

#endif
