/*
 * acme_jws - what ACME is signed with: ES256 and HS256 as flattened JSON (RFC 7515, RFC 7518), and what of an account's key
 * servers are shown (RFC 7638, RFC 8555 section 8.1).
 *
 * Strings that are returned are the caller's to free. A failure of OpenSSL itself aborts: it is out of memory.
 */
#ifndef ROUTER_ACME_JWS_H
#define ROUTER_ACME_JWS_H

#include <openssl/types.h>
#include <stddef.h>

struct fl_err;

/* RFC 4648 section 5, without padding; decode NULL with INVALID. */
char *jws_base64url(const void *data, size_t len);
unsigned char *jws_base64url_decode(const char *text, size_t *len, struct fl_err *err);

/* A new P-256 key; that of a PEM text (INVALID: it is none of P-256); as PEM, which the caller wipes. */
EVP_PKEY *jws_key_new(void);
EVP_PKEY *jws_key_parse(const char *pem, struct fl_err *err);
char *jws_key_pem(EVP_PKEY *key);

/* The public key as JSON, its members as RFC 7638 orders them. */
char *jws_jwk(EVP_PKEY *key);
char *jws_thumbprint(EVP_PKEY *key);
/* token "." thumbprint, RFC 8555 section 8.1. */
char *jws_key_authorisation(EVP_PKEY *key, const char *token);

/* {"protected":...,"payload":...,"signature":...} of header, which is JSON, and payload, any text. */
char *jws_sign(EVP_PKEY *key, const char *header, const char *payload);
char *jws_hmac(const void *secret, size_t len, const char *header, const char *payload);

/* A certificate signing request for a domain, as base64url of its DER, RFC 8555 section 7.4. */
char *jws_csr(EVP_PKEY *key, const char *domain);

#endif
