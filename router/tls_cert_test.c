/* Certificates: what is taken, what is refused, and that they come back from their small form. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <event2/event.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "libflynn/attr.h"
#include "libflynn/cert.h"
#include "libflynn/err.h"
#include "libflynn/xmalloc.h"
#include "router/reclaim.h"
#include "router/tls_cert.h"

struct pem {
	char *cert, *key;
};

static struct pem
make(const char *host)
{
	struct pem p = { 0 };
	char *pin = NULL;

	assert_int_equal(fl_cert_make(&host, 1, &p.cert, &p.key, &pin, NULL), 0);
	free(pin);
	return p;
}

static void
release(struct pem *p)
{
	free(p->cert);
	free(p->key);
}

/* The subject's common name that a connection would show, and how many certificates behind it. */
static void
shows(struct tls_cert *cert, const char *want, int chain)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	SSL *ssl = SSL_new(ctx);
	STACK_OF(X509) *more = NULL;
	char name[64] = "";

	assert_int_equal(tls_cert_use(cert, ssl), 0);
	X509_NAME_get_text_by_NID(X509_get_subject_name(SSL_get_certificate(ssl)), NID_commonName, name, sizeof(name));
	assert_string_equal(name, want);
	assert_int_equal(X509_check_private_key(SSL_get_certificate(ssl), SSL_get_privatekey(ssl)), 1);
	SSL_get0_chain_certs(ssl, &more);
	assert_int_equal(more != NULL ? sk_X509_num(more) : 0, chain);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
}

static void
what_is_wrong_is_said(FL_UNUSED void **state)
{
	struct pem one = make("one.example.com"), two = make("two.example.com");
	char *broken = fl_xasprintf("%s-----BEGIN CERTIFICATE-----\nxx\n-----END CERTIFICATE-----\n", one.cert);
	const struct {
		const char *cert, *key, *why;
	} cases[] = {
		{ "nonsense", one.key, "tls_cert is no certificate in PEM" },
		{ "", one.key, "tls_cert is no certificate in PEM" },
		{ broken, one.key, "tls_cert has a broken certificate behind its first" },
		{ one.cert, "nonsense", "tls_key is no private key in PEM without passphrase" },
		{ one.cert, two.key, "tls_key is not the key of tls_cert" },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct fl_err err = { 0 };

		assert_null(tls_cert_parse(cases[i].cert, cases[i].key, &err));
		assert_int_equal(err.kind, FL_ERR_INVALID);
		assert_string_equal(err.msg, cases[i].why);
	}
	free(broken);
	release(&one);
	release(&two);
}

static void
certificate_comes_back_when_it_is_wanted(void **state)
{
	struct pem one = make("one.example.com"), two = make("two.example.com");
	char *chain = fl_xasprintf("%s%s", one.cert, two.cert);
	struct reclaim *reclaim = reclaim_new(*state, 1);
	struct tls_cert *cert = tls_cert_parse(chain, one.key, NULL);

	assert_non_null(cert);
	assert_false(tls_cert_is_warm(cert));
	for (int i = 0; i < 3; i++) {
		shows(cert, "one.example.com", 1);
		assert_true(tls_cert_is_warm(cert));
		assert_false(tls_cert_cool(cert, reclaim)); /* too soon */
		assert_true(tls_cert_is_warm(cert));
		tls_cert_age(cert, TLS_CERT_WARM_S + 1);
		assert_true(tls_cert_cool(cert, reclaim));
		assert_false(tls_cert_is_warm(cert));
	}
	tls_cert_free(cert);
	reclaim_free(reclaim);
	free(chain);
	release(&one);
	release(&two);
}

static void
stored_one_is_loaded_unseen(FL_UNUSED void **state)
{
	struct pem one = make("one.example.com"), two = make("two.example.com");
	char *all = fl_xasprintf("%s%s%s", one.key, one.cert, two.cert);
	struct tls_cert *parsed = tls_cert_parse(all, all, NULL), *loaded = tls_cert_load(all, all, NULL), *other;
	struct fl_err err = { 0 };
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	SSL *ssl = SSL_new(ctx);
	char *broken;

	shows(loaded, "one.example.com", 1);
	assert_memory_equal(tls_cert_print(loaded), tls_cert_print(parsed), TLS_CERT_PRINT_BYTES);
	tls_cert_free(loaded);
	tls_cert_free(parsed);
	/* What is no PEM is told at once; the rest when a handshake wants it. */
	assert_null(tls_cert_load("nonsense", one.key, &err));
	assert_string_equal(err.msg, "tls_cert is no certificate in PEM");
	assert_null(tls_cert_load(one.cert, "nonsense", &err));
	other = tls_cert_load(one.cert, two.key, NULL);
	assert_non_null(other);
	assert_int_equal(tls_cert_use(other, ssl), -1);
	tls_cert_free(other);
	broken = fl_xasprintf("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n%s", one.cert);
	other = tls_cert_load(broken, one.key, NULL);
	assert_non_null(other);
	assert_int_equal(tls_cert_use(other, ssl), -1);
	assert_false(tls_cert_is_for(other, "one.example.com"));
	tls_cert_free(other);
	free(broken);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	free(all);
	release(&one);
	release(&two);
}

static void
keys_of_every_kind_come_back(FL_UNUSED void **state)
{
	EVP_PKEY *keys[] = { EVP_RSA_gen(2048), EVP_EC_gen("P-384"), EVP_PKEY_Q_keygen(NULL, NULL, "ED25519") };

	for (size_t i = 0; i < fl_nitems(keys); i++) {
		BIO *key = BIO_new(BIO_s_mem()), *pem = BIO_new(BIO_s_mem());
		X509 *x = X509_new();
		struct tls_cert *cert;
		char *key_pem, *cert_pem;

		X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)"kind", -1, -1, 0);
		X509_gmtime_adj(X509_getm_notBefore(x), 0);
		X509_gmtime_adj(X509_getm_notAfter(x), 100);
		X509_set_pubkey(x, keys[i]);
		assert_true(X509_sign(x, keys[i], i == 2 ? NULL : EVP_sha256()) > 0);
		PEM_write_bio_X509(pem, x);
		PEM_write_bio_PrivateKey(key, keys[i], NULL, NULL, 0, NULL, NULL);
		BIO_write(pem, "", 1);
		BIO_write(key, "", 1);
		BIO_get_mem_data(pem, &cert_pem);
		BIO_get_mem_data(key, &key_pem);
		cert = tls_cert_parse(cert_pem, key_pem, NULL);
		assert_non_null(cert);
		shows(cert, "kind", 0);
		tls_cert_free(cert);
		BIO_free(pem);
		BIO_free(key);
		X509_free(x);
		EVP_PKEY_free(keys[i]);
	}
}

static void
names_and_dates_are_told(FL_UNUSED void **state)
{
	struct pem one = make("*.example.com");
	struct tls_cert *cert = tls_cert_parse(one.cert, one.key, NULL);
	int64_t not_before = 0, not_after = 0;

	assert_true(tls_cert_is_for(cert, "a.example.com"));
	assert_false(tls_cert_is_for(cert, "a.b.example.com"));
	assert_false(tls_cert_is_for(cert, "example.org"));
	tls_cert_times(cert, &not_before, &not_after);
	assert_true(not_before > 1400000000 && not_after - not_before > 9 * 365 * 86400LL);
	tls_cert_free(cert);
	release(&one);
}

static int
set_up(void **state)
{
	*state = event_base_new();
	return *state == NULL;
}

static int
tear_down(void **state)
{
	event_base_free(*state);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_wrong_is_said),
		cmocka_unit_test(certificate_comes_back_when_it_is_wanted),
		cmocka_unit_test(stored_one_is_loaded_unseen),
		cmocka_unit_test(keys_of_every_kind_come_back),
		cmocka_unit_test(names_and_dates_are_told),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
