#include "router/tls.h"

#include <limits.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "libflynn/attr.h"
#include "libflynn/err.h"
#include "libflynn/xmalloc.h"
#include "router/plane.h"
#include "router/table.h"

/* The cheapest of the strong first; what else clients need behind it. */
#define SUITES_13 "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
#define SUITES_12                                                                                      \
	"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"     \
	"ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
#define GROUPS "X25519:P-256:P-384"

#define CHAIN_MAX 10

struct tls_cert {
	X509 *leaf;
	EVP_PKEY *key;
	STACK_OF(X509) *chain;
};

/* There is nobody to type a passphrase. */
static int
no_passphrase(FL_UNUSED char *buf, FL_UNUSED int size, FL_UNUSED int rwflag, FL_UNUSED void *arg)
{
	return -1;
}

static int
read_chain(struct tls_cert *c, BIO *bio, struct fl_err *err)
{
	X509 *x;

	if ((c->leaf = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL)) == NULL)
		return fl_err_set(err, FL_ERR_INVALID, "tls_cert is no certificate in PEM");
	c->chain = sk_X509_new_null();
	while ((x = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL)) != NULL) {
		if (sk_X509_num(c->chain) == CHAIN_MAX || sk_X509_push(c->chain, x) == 0) {
			X509_free(x);
			return fl_err_set(err, FL_ERR_INVALID, "tls_cert has more than %d certificates", CHAIN_MAX + 1);
		}
	}
	if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		return fl_err_set(err, FL_ERR_INVALID, "tls_cert has a broken certificate behind its first");
	return 0;
}

static BIO *
text_bio(const char *text)
{
	size_t len = strlen(text);

	return BIO_new_mem_buf(text, len > INT_MAX ? INT_MAX : (int)len);
}

struct tls_cert *
tls_cert_parse(const char *cert_pem, const char *key_pem, struct fl_err *err)
{
	struct tls_cert *c = fl_xcalloc(1, sizeof(*c)), *ret = NULL;
	BIO *certs = text_bio(cert_pem), *key = text_bio(key_pem);

	if (read_chain(c, certs, err) == -1)
		goto out;
	if ((c->key = PEM_read_bio_PrivateKey(key, NULL, no_passphrase, NULL)) == NULL) {
		fl_err_set(err, FL_ERR_INVALID, "tls_key is no private key in PEM without passphrase");
		goto out;
	}
	if (X509_check_private_key(c->leaf, c->key) != 1) {
		fl_err_set(err, FL_ERR_INVALID, "tls_key is not the key of tls_cert");
		goto out;
	}
	ret = c;
	c = NULL;
out:
	ERR_clear_error();
	BIO_free(certs);
	BIO_free(key);
	tls_cert_free(c);
	return ret;
}

void
tls_cert_free(struct tls_cert *cert)
{
	if (cert == NULL)
		return;
	X509_free(cert->leaf);
	EVP_PKEY_free(cert->key);
	sk_X509_pop_free(cert->chain, X509_free);
	free(cert);
}

/*
 * Called on a worker, within its turn, with and without an SNI, resumed or not. A name that no
 * route with a certificate has ends the handshake: there is nothing to prove who we are.
 */
static int
on_server_name(SSL *ssl, int *alert, void *arg)
{
	struct plane *plane = arg;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	char host[TABLE_MAX_KEY + 1];
	const struct tls_cert *cert;
	size_t len;

	*alert = SSL_AD_UNRECOGNIZED_NAME;
	if (name == NULL || (len = table_normalise_host(name, strlen(name), host)) == 0)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	if ((cert = table_find_cert(atomic_load(&plane->table), host, len)) == NULL)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	if (SSL_use_cert_and_key(ssl, cert->leaf, cert->key, cert->chain, 1) != 1) {
		*alert = SSL_AD_INTERNAL_ERROR;
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	}
	return SSL_TLSEXT_ERR_OK;
}

static int
on_alpn(FL_UNUSED SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
    unsigned int in_len, FL_UNUSED void *arg)
{
	static const unsigned char ours[] = "\x08http/1.1";

	if (SSL_select_next_proto((unsigned char **)out, out_len, ours, sizeof(ours) - 1, in, in_len) !=
	    OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	return SSL_TLSEXT_ERR_OK;
}

SSL_CTX *
tls_ctx_new(struct plane *plane, struct fl_err *err)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	if (ctx == NULL)
		goto fail;
	/* Clients of 2014 end their input by a FIN without close_notify: IGNORE_UNEXPECTED_EOF. */
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
				     SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
				  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 || SSL_CTX_set_ciphersuites(ctx, SUITES_13) != 1 ||
	    SSL_CTX_set_cipher_list(ctx, SUITES_12) != 1 || SSL_CTX_set1_groups_list(ctx, GROUPS) != 1 ||
	    SSL_CTX_set_num_tickets(ctx, 1) != 1)
		goto fail;
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_tlsext_servername_callback(ctx, on_server_name);
	SSL_CTX_set_tlsext_servername_arg(ctx, plane);
	SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
	return ctx;
fail:
	fl_err_set(err, FL_ERR_SYSTEM, "set up TLS: %s", ERR_reason_error_string(ERR_peek_last_error()));
	SSL_CTX_free(ctx);
	return NULL;
}
