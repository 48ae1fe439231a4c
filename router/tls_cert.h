/*
 * tls_cert - a certificate with its chain and its private key: a few kilobytes while nobody asks for it.
 *
 * OpenSSL's objects for one take 40 to 110 KiB, and of many routes few are asked for at a time: they are made when a
 * handshake wants them, and let go of when none has for a while.
 */
#ifndef ROUTER_TLS_CERT_H
#define ROUTER_TLS_CERT_H

#include <openssl/types.h>
#include <stdbool.h>
#include <stdint.h>

struct fl_err;
struct reclaim;
struct tls_cert;

/* From PEM: NULL with INVALID when they are none, or do not match. */
struct tls_cert *tls_cert_parse(const char *cert_pem, const char *key_pem, struct fl_err *err);
/*
 * One that was stored when tls_cert_parse() had taken it: nothing is looked into before a handshake wants it, so that
 * thousands are read in no time and leave no holes in the heap. NULL with INVALID: it is no PEM.
 */
struct tls_cert *tls_cert_load(const char *cert_pem, const char *key_pem, struct fl_err *err);
/*
 * That of clients that name no host, or one without a certificate, by an option's value: the path of a PEM file with the
 * chain and its key; or that PEM itself; or "self", for one made on the spot.
 */
struct tls_cert *tls_cert_default(const char *from, struct fl_err *err);
/* NULL is fine. No worker can reach it any more. */
void tls_cert_free(struct tls_cert *cert);

/* Whether clients take it for the host's, whatever its dates; and these, in seconds since 1970. */
bool tls_cert_is_for(const struct tls_cert *cert, const char *host);
void tls_cert_times(const struct tls_cert *cert, int64_t *not_before, int64_t *not_after);

/* Any worker, within its turn: put it into a connection. -1: that cannot be. */
int tls_cert_use(struct tls_cert *cert, SSL *ssl);
/* The start of its SHA-256, which tells it apart. */
#define TLS_CERT_PRINT_BYTES 16
const unsigned char *tls_cert_print(const struct tls_cert *cert);

/* The control thread, now and then: let go of what no handshake has wanted for so long. Whether there was any. */
#define TLS_CERT_WARM_S 300
bool tls_cert_cool(struct tls_cert *cert, struct reclaim *reclaim);
/* Seconds of the clock that it goes by, for tests: as if so much time had passed for cert. */
void tls_cert_age(struct tls_cert *cert, int seconds);
/* Whether OpenSSL's objects are there. */
bool tls_cert_is_warm(const struct tls_cert *cert);

#endif
