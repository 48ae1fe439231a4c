/*
 * tls_pin - see tls_pin.h.
 */
#include "libflynn/tls_pin.h"

#include <stdlib.h>

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "libflynn/base64.h"
#include "libflynn/sign.h"

char *
fl_tls_pin_of(X509 *cert)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	if (X509_digest(cert, EVP_sha256(), digest, &len) != 1)
		abort(); /* only out of memory */
	return fl_base64_encode(digest, len);
}

/* Takes the place of the whole chain verification. */
static int
verify(X509_STORE_CTX *store, void *pin)
{
	X509 *leaf = X509_STORE_CTX_get0_cert(store);
	char *got = leaf != NULL ? fl_tls_pin_of(leaf) : NULL;
	int ok = fl_sign_key_eq(got, pin);

	X509_STORE_CTX_set_error(store, ok ? X509_V_OK : X509_V_ERR_APPLICATION_VERIFICATION);
	free(got);
	return ok;
}

void
fl_tls_pin_set(SSL_CTX *ctx, const char *pin)
{
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_cert_verify_callback(ctx, verify, (void *)pin);
}
