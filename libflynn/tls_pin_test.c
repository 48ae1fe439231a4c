#include "libflynn/tls_pin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <cmocka.h>

#include "libflynn/attr.h"
#include "libflynn/cert.h"

struct server {
	SSL_CTX *ctx;
	char *pin;
};

/* A server that shows a certificate of its own. */
static struct server
server_new(void)
{
	static const char *const hosts[] = { "elsewhere.example.com" };
	struct server s = { .ctx = SSL_CTX_new(TLS_server_method()) };
	char *cert_pem = NULL, *key_pem = NULL;
	BIO *cert_in = NULL, *key_in = NULL;
	X509 *cert = NULL;
	EVP_PKEY *key = NULL;

	assert_int_equal(fl_cert_make(hosts, 1, &cert_pem, &key_pem, &s.pin, NULL), 0);
	cert_in = BIO_new_mem_buf(cert_pem, -1);
	key_in = BIO_new_mem_buf(key_pem, -1);
	cert = PEM_read_bio_X509(cert_in, NULL, NULL, NULL);
	key = PEM_read_bio_PrivateKey(key_in, NULL, NULL, NULL);
	assert_int_equal(SSL_CTX_use_certificate(s.ctx, cert), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(s.ctx, key), 1);
	X509_free(cert);
	EVP_PKEY_free(key);
	BIO_free(cert_in);
	BIO_free(key_in);
	free(cert_pem);
	free(key_pem);
	return s;
}

/* Shake hands in memory; returns whether the client was content. */
static bool
connects(SSL_CTX *client_ctx, SSL_CTX *server_ctx)
{
	SSL *client = SSL_new(client_ctx), *server = SSL_new(server_ctx);
	BIO *a = NULL, *b = NULL;
	int done = 0;

	assert_int_equal(BIO_new_bio_pair(&a, 0, &b, 0), 1);
	SSL_set_bio(client, a, a);
	SSL_set_bio(server, b, b);
	SSL_set_connect_state(client);
	SSL_set_accept_state(server);
	for (int i = 0; i < 10 && done != 1; i++) {
		done = SSL_do_handshake(client);
		SSL_do_handshake(server);
	}
	SSL_free(client);
	SSL_free(server);
	return done == 1;
}

static void
only_the_pinned_certificate_is_trusted(FL_UNUSED void **state)
{
	struct server ours = server_new(), theirs = server_new();
	SSL_CTX *client = SSL_CTX_new(TLS_client_method());

	fl_tls_pin_set(client, ours.pin);
	assert_true(connects(client, ours.ctx));
	assert_false(connects(client, theirs.ctx));
	SSL_CTX_free(client);
	SSL_CTX_free(ours.ctx);
	SSL_CTX_free(theirs.ctx);
	free(ours.pin);
	free(theirs.pin);
}

static void
an_empty_pin_trusts_nobody(FL_UNUSED void **state)
{
	struct server s = server_new();
	SSL_CTX *client = SSL_CTX_new(TLS_client_method());

	fl_tls_pin_set(client, "");
	assert_false(connects(client, s.ctx));
	SSL_CTX_free(client);
	SSL_CTX_free(s.ctx);
	free(s.pin);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_the_pinned_certificate_is_trusted),
		cmocka_unit_test(an_empty_pin_trusts_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
