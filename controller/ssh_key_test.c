#include "controller/ssh_key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "libflynn/attr.h"
#include "libflynn/err.h"

#define BASE64 "AAAAC3NzaC1lZDI1NTE5AAAAIGtN3obDx3DMMraWNnOIjxp/P9yZmEJTPgIx+2bRiwkK"
#define KEY "ssh-ed25519 " BASE64

static const char with_options[] = "restrict " KEY;
static const char wrong_type[] = "ssh-rsa " BASE64;

static void
key_and_comment_are_told_apart(FL_UNUSED void **state)
{
	static const struct {
		const char *text, *comment;
	} cases[] = {
		{ KEY " me@laptop\n", "me@laptop" },
		{ KEY "\n", "" },
		{ KEY, "" },
		{ "  " KEY "  two words \r\n", "two words" },
		{ KEY " first\nssh-rsa AAAA second\n", "first" },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct ssh_key key;

		assert_int_equal(ssh_key_parse(cases[i].text, &key, NULL), 0);
		assert_string_equal(key.key, KEY);
		assert_string_equal(key.comment, cases[i].comment);
		/* As `ssh-keygen -E md5 -lf` says. */
		assert_string_equal(key.fingerprint, "ad58f281490ce5cbe313e1a005cd5941");
		ssh_key_release(&key);
	}
}

static void
what_is_no_public_key_is_refused(FL_UNUSED void **state)
{
	static const char *const cases[] = {
		"", " ", "\n", "ssh-ed25519", "ssh-ed25519 ", "ssh-ed25519 !!!!", wrong_type,
		"ssh-ed25519 AAAA", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5", "hello world",
		"-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n", "x //////8=", with_options,
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct ssh_key key;
		struct fl_err err = { 0 };

		assert_int_equal(ssh_key_parse(cases[i], &key, &err), -1);
		assert_int_equal(err.kind, FL_ERR_INVALID);
		assert_null(key.key);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(key_and_comment_are_told_apart),
		cmocka_unit_test(what_is_no_public_key_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
