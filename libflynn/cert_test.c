#include "libflynn/cert.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <cmocka.h>

#include "libflynn/attr.h"
#include "libflynn/err.h"
#include "libflynn/tls_pin.h"

static BIO *
reader(const char *pem)
{
	return BIO_new_mem_buf(pem, (int)strlen(pem));
}

struct made {
	char *cert_pem, *key_pem, *pin;
	X509 *cert;
	EVP_PKEY *key;
};

static struct made
make(const char *const *hosts, size_t n_hosts)
{
	struct made m = { 0 };
	BIO *cert = NULL, *key = NULL;

	assert_int_equal(fl_cert_make(hosts, n_hosts, &m.cert_pem, &m.key_pem, &m.pin, NULL), 0);
	cert = reader(m.cert_pem);
	key = reader(m.key_pem);
	m.cert = PEM_read_bio_X509(cert, NULL, NULL, NULL);
	m.key = PEM_read_bio_PrivateKey(key, NULL, NULL, NULL);
	BIO_free(cert);
	BIO_free(key);
	assert_non_null(m.cert);
	assert_non_null(m.key);
	return m;
}

static void
release(struct made *m)
{
	X509_free(m->cert);
	EVP_PKEY_free(m->key);
	free(m->cert_pem);
	free(m->key_pem);
	free(m->pin);
}

static void
a_certificate_is_for_its_hosts(FL_UNUSED void **state)
{
	static const char *const hosts[] = { "example.com", "*.example.com", "10.0.0.1", "::1" };
	struct made m = make(hosts, fl_nitems(hosts));
	char cn[64];

	assert_int_equal(X509_check_host(m.cert, "example.com", 0, 0, NULL), 1);
	assert_int_equal(X509_check_host(m.cert, "app.example.com", 0, 0, NULL), 1);
	assert_int_equal(X509_check_host(m.cert, "example.org", 0, 0, NULL), 0);
	assert_int_equal(X509_check_ip_asc(m.cert, "10.0.0.1", 0), 1);
	assert_int_equal(X509_check_ip_asc(m.cert, "::1", 0), 1);
	assert_int_equal(X509_check_ip_asc(m.cert, "10.0.0.2", 0), 0);
	X509_NAME_get_text_by_NID(X509_get_subject_name(m.cert), NID_commonName, cn, sizeof(cn));
	assert_string_equal(cn, "example.com");
	release(&m);
}

static void
a_certificate_is_a_servers_and_signed_by_its_key(FL_UNUSED void **state)
{
	static const char *const hosts[] = { "localhost" };
	struct made m = make(hosts, 1);

	assert_int_equal(X509_get_version(m.cert), X509_VERSION_3);
	assert_int_equal(X509_check_private_key(m.cert, m.key), 1);
	assert_int_equal(X509_verify(m.cert, m.key), 1);
	assert_int_equal(EVP_PKEY_get_bits(m.key), 256);
	assert_int_equal(X509_get_key_usage(m.cert), KU_DIGITAL_SIGNATURE | KU_KEY_ENCIPHERMENT);
	assert_int_equal(X509_get_extended_key_usage(m.cert), XKU_SSL_SERVER);
	assert_int_equal(X509_check_ca(m.cert), 0);
	assert_int_equal(X509_cmp_current_time(X509_get0_notBefore(m.cert)), -1);
	assert_int_equal(X509_cmp_time(X509_get0_notAfter(m.cert), &(time_t){ time(NULL) + 3649L * 86400 }), 1);
	assert_int_equal(X509_cmp_time(X509_get0_notAfter(m.cert), &(time_t){ time(NULL) + 3652L * 86400 }), -1);
	release(&m);
}

static void
the_pin_is_that_of_the_certificate(FL_UNUSED void **state)
{
	static const char *const hosts[] = { "localhost" };
	struct made a = make(hosts, 1), b = make(hosts, 1);
	char *pin = fl_tls_pin_of(a.cert);

	assert_string_equal(a.pin, pin);
	assert_int_equal(strlen(pin), 44);
	assert_string_not_equal(a.pin, b.pin);
	assert_int_not_equal(ASN1_INTEGER_cmp(X509_get0_serialNumber(a.cert), X509_get0_serialNumber(b.cert)), 0);
	free(pin);
	release(&a);
	release(&b);
}

static void
odd_names_are_refused(FL_UNUSED void **state)
{
	static const char *const cases[] = { "", "a b", "a,DNS:evil", "a/b", "*", "*.", "a.*.b", "a:80", "[::1]", "a\n" };
	char *cert = NULL, *key = NULL, *pin = NULL;

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		const char *const hosts[] = { "ok.example.com", cases[i] };
		struct fl_err err = { 0 };

		assert_int_equal(fl_cert_make(hosts, 2, &cert, &key, &pin, &err), -1);
		assert_int_equal(err.kind, FL_ERR_INVALID);
	}
	assert_int_equal(fl_cert_make(NULL, 0, &cert, &key, &pin, NULL), -1);
	assert_null(cert);
}

static void
a_long_name_is_cut_only_where_it_must(FL_UNUSED void **state)
{
	static const char *const hosts[] = { "a-very-long-label-of-fifty-characters-or-even-more-x.example.com" ".another-label.test" };
	struct made m = make(hosts, 1);

	assert_int_equal(X509_check_host(m.cert, hosts[0], 0, 0, NULL), 1);
	release(&m);
}

static void
ssh_keys_are_in_their_traditional_form(FL_UNUSED void **state)
{
	static const struct {
		const char *type, *begin;
		int bits;
	} cases[] = {
		{ "rsa", "-----BEGIN RSA PRIVATE KEY-----\n", 2048 },
		{ "ecdsa", "-----BEGIN EC PRIVATE KEY-----\n", 256 },
	};
	struct fl_err err = { 0 };

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		char *pem = fl_cert_ssh_key(cases[i].type, NULL);
		BIO *in = reader(pem);
		EVP_PKEY *key = PEM_read_bio_PrivateKey(in, NULL, NULL, NULL);

		assert_memory_equal(pem, cases[i].begin, strlen(cases[i].begin));
		assert_int_equal(EVP_PKEY_get_bits(key), cases[i].bits);
		EVP_PKEY_free(key);
		BIO_free(in);
		free(pem);
	}
	assert_null(fl_cert_ssh_key("dsa", &err));
	assert_int_equal(err.kind, FL_ERR_INVALID);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_certificate_is_for_its_hosts),
		cmocka_unit_test(a_certificate_is_a_servers_and_signed_by_its_key),
		cmocka_unit_test(the_pin_is_that_of_the_certificate),
		cmocka_unit_test(odd_names_are_refused),
		cmocka_unit_test(a_long_name_is_cut_only_where_it_must),
		cmocka_unit_test(ssh_keys_are_in_their_traditional_form),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
