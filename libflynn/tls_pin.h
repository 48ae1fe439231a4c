/*
 * tls_pin - trust exactly one certificate: standard base64 of SHA-256 over the leaf's DER.
 */
#ifndef FL_TLS_PIN_H
#define FL_TLS_PIN_H

#include <openssl/types.h>

/* Connections of ctx succeed only with a leaf of this pin; chain and name are not looked at. pin must outlive ctx. */
void fl_tls_pin_set(SSL_CTX *ctx, const char *pin);
/* The pin of a certificate; the caller frees. */
char *fl_tls_pin_of(X509 *cert);

#endif
