#include "libflynn/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "libflynn/attr.h"
#include "libflynn/err.h"

static void
rfc_vectors_go_both_ways(FL_UNUSED void **state)
{
	static const struct {
		const char *bytes, *text; /* RFC 4648 10 */
	} cases[] = {
		{ "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" }, { "foob", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" }, { "\xfb\xff\xbf", "+/+/" },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		size_t len = 99;
		char *text = fl_base64_encode(cases[i].bytes, strlen(cases[i].bytes));
		char *bytes = fl_base64_decode(cases[i].text, strlen(cases[i].text), &len, NULL);

		assert_string_equal(text, cases[i].text);
		assert_non_null(bytes);
		assert_string_equal(bytes, cases[i].bytes);
		assert_int_equal(len, strlen(cases[i].bytes));
		free(text);
		free(bytes);
	}
}

static void
all_bytes_survive(FL_UNUSED void **state)
{
	unsigned char bytes[256];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(255 - i);
	for (size_t len = 0; len <= sizeof(bytes); len++) {
		char *text = fl_base64_encode(bytes, len);
		size_t got_len = 0;
		void *got = fl_base64_decode(text, strlen(text), &got_len, NULL);

		assert_int_equal(got_len, len);
		assert_memory_equal(got, bytes, len);
		free(got);
		free(text);
	}
}

static void
one_value_has_one_text(FL_UNUSED void **state)
{
	static const char *const cases[] = {
		"Zg", "Zg=", "Zg===", "Z===", "====", "=", "==", "Zh==", "Zm9=", "Z g=", "Zg==\n", "Zg==Zg==",
		"Zm8=Zm8=", "Z-8=", "Z_8=", "Zm9v ", "Zm\x80v",
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct fl_err err = { 0 };
		size_t len;

		assert_null(fl_base64_decode(cases[i], strlen(cases[i]), &len, &err));
		assert_int_equal(err.kind, FL_ERR_INVALID);
	}
}

static void
hex_is_lower_case(FL_UNUSED void **state)
{
	char *text = fl_hex_encode("\x00\x7f\xab\xff", 4);

	assert_string_equal(text, "007fabff");
	free(text);
	text = fl_hex_encode("", 0);
	assert_string_equal(text, "");
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc_vectors_go_both_ways),
		cmocka_unit_test(all_bytes_survive),
		cmocka_unit_test(one_value_has_one_text),
		cmocka_unit_test(hex_is_lower_case),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
