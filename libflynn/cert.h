/*
 * cert - keys and certificates made on the spot, as PEM text.
 */
#ifndef FL_CERT_H
#define FL_CERT_H

#include <stddef.h>

struct fl_err;

/*
 * A self-signed server certificate (EC P-256, ten years) for hosts (names or IP addresses,
 * wildcards allowed; the first is the CN). The caller frees all three: certificate and private
 * key as PEM, pin = standard base64 of SHA-256 over the certificate's DER.
 */
int fl_cert_make(const char *const *hosts, size_t n_hosts, char **cert_pem, char **key_pem,
    char **pin, struct fl_err *err);

/* A new private key as PEM in the form SSH servers of the era read: "rsa" (2048 bits), "ecdsa" (P-256). Caller frees. */
char *fl_cert_ssh_key(const char *type, struct fl_err *err);

#endif
