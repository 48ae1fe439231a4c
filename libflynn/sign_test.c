#include "libflynn/sign.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "libflynn/attr.h"

/* The signature in a URL made by fl_sign_url(). */
static const char *
sig_of(const char *url)
{
	const char *sig = strstr(url, "?sig=");

	assert_non_null(sig);
	return sig + strlen("?sig=");
}

static void
a_url_carries_one_right_on_one_path(FL_UNUSED void **state)
{
	static const struct {
		const char *key, *method, *path;
		bool by_read, by_write;
	} cases[] = {
		{ "k", "GET", "/slugs/1", true, true }, { "k", "HEAD", "/slugs/1", true, true }, { "k", "PUT", "/slugs/1", false, true },
		{ "k", "DELETE", "/slugs/1", false, false }, { "k", "get", "/slugs/1", false, false }, { "k", "POST", "/slugs/1", false, false },
		{ "k", "GET", "/slugs/12", false, false }, { "k", "GET", "/slugs/", false, false }, { "l", "GET", "/slugs/1", false, false },
		{ "", "GET", "/slugs/1", false, false },
	};
	char *read_url = fl_sign_url("k", "http://10.0.0.1:1112", "/slugs/1", FL_SIGN_READ);
	char *write_url = fl_sign_url("k", "http://10.0.0.1:1112", "/slugs/1", FL_SIGN_WRITE);

	assert_memory_equal(read_url, "http://10.0.0.1:1112/slugs/1?sig=r", 34);
	assert_int_equal(strlen(sig_of(write_url)), 65);
	for (size_t i = 0; i < fl_nitems(cases); i++) {
		assert_int_equal(fl_sign_allows(cases[i].key, cases[i].method, cases[i].path, sig_of(read_url)), cases[i].by_read);
		assert_int_equal(fl_sign_allows(cases[i].key, cases[i].method, cases[i].path, sig_of(write_url)), cases[i].by_write);
	}
	free(read_url);
	free(write_url);
}

static void
a_signature_cannot_be_altered(FL_UNUSED void **state)
{
	char *url = fl_sign_url("k", "", "/x", FL_SIGN_READ);
	const char *right = sig_of(url);
	char sig[80];

	for (size_t i = 0; i < 65; i++) {
		snprintf(sig, sizeof(sig), "%s", right);
		sig[i] = sig[i] == 'w' ? 'r' : sig[i] == 'r' ? 'w' : sig[i] == '0' ? '1' : '0';
		assert_false(fl_sign_allows("k", "GET", "/x", sig));
	}
	snprintf(sig, sizeof(sig), "%.64s", right);
	assert_false(fl_sign_allows("k", "GET", "/x", sig));
	snprintf(sig, sizeof(sig), "%s0", right);
	assert_false(fl_sign_allows("k", "GET", "/x", sig));
	assert_false(fl_sign_allows("k", "GET", "/x", ""));
	assert_false(fl_sign_allows("k", "GET", "/x", NULL));
	free(url);
}

/* Made by: printf 'r /x' | openssl dgst -sha256 -hmac k */
static void
the_signature_is_what_the_header_says(FL_UNUSED void **state)
{
	char *url = fl_sign_url("k", "", "/x", FL_SIGN_READ);

	assert_string_equal(sig_of(url), "re7463e0bdef64b1d130cbf67c78925d6c00cbe0c376353c61f6a876f46e19d67");
	free(url);
}

static void
keys_are_equal_only_to_themselves(FL_UNUSED void **state)
{
	assert_true(fl_sign_key_eq("abc", "abc"));
	assert_true(fl_sign_key_eq("", ""));
	assert_false(fl_sign_key_eq("abc", "abd"));
	assert_false(fl_sign_key_eq("abc", "ab"));
	assert_false(fl_sign_key_eq("abc", ""));
	assert_false(fl_sign_key_eq("abc", NULL));
	assert_false(fl_sign_key_eq(NULL, "abc"));
	assert_false(fl_sign_key_eq(NULL, NULL));
}

static void
basic_passwords_are_the_key(FL_UNUSED void **state)
{
	static const struct {
		const char *header;
		bool want;
	} cases[] = {
		{ "Basic OmtleQ==", true },	     /* :key */
		{ "basic OmtleQ==", true },	     /* the scheme in any case */
		{ "Basic  OmtleQ==", true },	     /* 1*SP */
		{ "Basic dXNlcjprZXk=", true },	     /* user:key */
		{ "Basic a2V5Og==", false },	     /* key: */
		{ "Basic a2V5", false },	     /* key */
		{ "Basic OmtleTI=", false },	     /* :key2 */
		{ "Basic OmtleTpr", false },	     /* :key:k */
		{ "Basic OmtleQB4", false },	     /* :key, NUL, x */
		{ "Basic OmtleQ", false },	     /* no padding */
		{ "Basic OmtleQ== ", false },
		{ "Basic ", false },
		{ "Basic", false },
		{ "Bearer OmtleQ==", false },
		{ "", false },
		{ NULL, false },
	};
	char *made = fl_sign_basic("key");

	assert_string_equal(made, "Basic OmtleQ==");
	free(made);
	for (size_t i = 0; i < fl_nitems(cases); i++)
		assert_int_equal(fl_sign_basic_ok(cases[i].header, "key"), cases[i].want);
	assert_false(fl_sign_basic_ok("Basic Og==", NULL));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_url_carries_one_right_on_one_path),
		cmocka_unit_test(a_signature_cannot_be_altered),
		cmocka_unit_test(the_signature_is_what_the_header_says),
		cmocka_unit_test(keys_are_equal_only_to_themselves),
		cmocka_unit_test(basic_passwords_are_the_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
