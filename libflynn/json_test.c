#include "libflynn/json.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"

static struct fl_json *
parse(const char *text, struct fl_err *err)
{
	return fl_json_parse(text, strlen(text), err);
}

/* A value's text again; the caller frees. */
static char *
text_of(const struct fl_json *v)
{
	struct fl_buf b = { 0 };
	struct fl_jsonw w = fl_jsonw(&b);

	fl_jsonw_value(&w, NULL, v);
	return fl_buf_detach(&b);
}

static void
what_is_read_is_written_again(FL_UNUSED void **state)
{
	static const struct {
		const char *text, *want; /* NULL: the same */
	} cases[] = {
		{ "null", NULL }, { "true", NULL }, { "false", NULL }, { "0", NULL }, { "-1", NULL }, { "\"\"", NULL },
		{ "[]", NULL }, { "{}", NULL }, { "[[],{},[null]]", NULL }, { "{\"a\":{\"b\":[1,\"x\"]}}", NULL },
		{ " [ 1 ,\n2\t] ", "[1,2]" }, { "9223372036854775807", NULL }, { "-9223372036854775808", NULL },
		{ "18446744073709551615", NULL }, { "1.5", NULL }, { "1e3", "1000" }, { "2.0", "2" }, { "1e400", NULL },
		{ "0.1", NULL }, { "-0", "0" }, { "\"\\u00e4\\ud83d\\ude00\"", "\"\xc3\xa4\xf0\x9f\x98\x80\"" },
		{ "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0001\"", "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\"" },
		{ "{\"\":1,\"a\":2}", NULL }, { "{\"b\":1,\"a\":2,\"B\":3}", NULL },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct fl_json *v = parse(cases[i].text, NULL), *copy = fl_json_dup(v);
		char *text = text_of(v), *copied = text_of(copy);

		assert_non_null(v);
		assert_string_equal(text, cases[i].want != NULL ? cases[i].want : cases[i].text);
		assert_string_equal(copied, text);
		free(text);
		free(copied);
		fl_json_free(v);
		fl_json_free(copy);
	}
}

static void
what_is_not_json_is_refused(FL_UNUSED void **state)
{
	static const char *const cases[] = {
		"", " ", "nul", "True", "1 2", "[1", "[1,]", "[,1]", "{", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "{1:2}",
		"'a'", "\"a", "\"\n\"", "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"", "01", "+1", ".5", "1.", "1e", "-", "NaN", "Infinity",
		"// x\n1", "/* x */ 1", "[1]]", "{}x", "\"\xff\"", "\"\xc0\x80\"", "\"\xed\xa0\x80\"", "\xef\xbb\xbf[]",
		"\"\\ud800\"", "\"\\udc00\"", "\"\\ud800\\ud800\"", "\"\\ud800x\"", "\"\\u0000\"", "{\"a\\u0000b\":1}",
		"{\"a\":1,\"a\":2}", "{\"a\":1,\"\\u0061\":2}", "[{\"x\":[],\"x\":{}}]",
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct fl_err err = { 0 };

		assert_null(parse(cases[i], &err));
		assert_int_equal(err.kind, FL_ERR_INVALID);
		assert_true(strlen(err.msg) > 0);
		assert_null(strchr(err.msg, '\n'));
	}
	assert_null(fl_json_parse("\"a\0b\"", 5, NULL));
	assert_null(fl_json_parse("1\0", 2, NULL));
}

static void
errors_say_where(FL_UNUSED void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "[1,x]", "at byte 4: invalid char in json text." },
		{ "{\"a\" 1}", "at byte 6: object key and value must be separated by a colon (':')" },
		{ "[1", "premature EOF" },
		{ "1 2", "trailing garbage" },
		{ "[\"\xff\"]", "at byte 2: not UTF-8" },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct fl_err err = { 0 };

		assert_null(parse(cases[i].text, &err));
		assert_string_equal(err.msg, cases[i].want);
	}
}

static void
escaped_text_is_not_mistaken_for_escapes(FL_UNUSED void **state)
{
	struct fl_json *v = parse("[\"\\\\u0000\",\"\\\\\\\\\",\"\\\"\\\\ud800\"]", NULL);

	assert_string_equal(fl_json_str(fl_json_at(v, 0), ""), "\\u0000");
	assert_string_equal(fl_json_str(fl_json_at(v, 1), ""), "\\\\");
	assert_string_equal(fl_json_str(fl_json_at(v, 2), ""), "\"\\ud800");
	fl_json_free(v);
}

static void
depth_is_bounded(FL_UNUSED void **state)
{
	char text[2 * (FL_JSON_MAX_DEPTH + 1) + 1];

	for (size_t depth = FL_JSON_MAX_DEPTH; depth <= FL_JSON_MAX_DEPTH + 1; depth++) {
		struct fl_err err = { 0 };
		struct fl_json *v = NULL, *copy = NULL;

		memset(text, '[', depth);
		memset(text + depth, ']', depth);
		v = fl_json_parse(text, 2 * depth, &err);
		copy = fl_json_dup(v);
		assert_int_equal(v != NULL, depth == FL_JSON_MAX_DEPTH);
		assert_int_equal(err.kind, v != NULL ? FL_ERR_NONE : FL_ERR_INVALID);
		fl_json_free(v);
		fl_json_free(copy);
	}
}

static void
size_is_bounded(FL_UNUSED void **state)
{
	size_t len = FL_JSON_MAX_BYTES + 1;
	char *text = malloc(len);
	struct fl_err err = { 0 };
	struct fl_json *v = NULL;

	assert_non_null(text);
	memset(text, ' ', len);
	text[0] = '1';
	assert_null(fl_json_parse(text, len, &err));
	assert_int_equal(err.kind, FL_ERR_TOO_BIG);
	v = fl_json_parse(text, len - 1, NULL);
	assert_int_equal(fl_json_int(v, 0), 1);
	fl_json_free(v);
	v = fl_json_parse_max(text, len, len, NULL);
	assert_int_equal(fl_json_int(v, 0), 1);
	fl_json_free(v);
	assert_null(fl_json_parse_max(text, len, len - 1, NULL));
	free(text);
}

/* Enough members for the sorted index. */
static void
large_objects_are_searched_and_checked(FL_UNUSED void **state)
{
	struct fl_buf b = { 0 };
	struct fl_jsonw w = fl_jsonw(&b);
	struct fl_json *v = NULL, *copy = NULL;
	struct fl_err err = { 0 };
	char key[16];

	fl_jsonw_open(&w, NULL, '{');
	for (int i = 0; i < 5000; i++) {
		snprintf(key, sizeof(key), "k%d", i * 7919 % 5000);
		fl_jsonw_int(&w, key, i);
	}
	v = fl_json_parse(b.data, b.len, NULL); /* not closed */
	assert_null(v);
	fl_jsonw_close(&w, '}');
	v = fl_json_parse(b.data, b.len, NULL);
	copy = fl_json_dup(v);
	for (int i = 0; i < 5000; i++) {
		snprintf(key, sizeof(key), "k%d", i * 7919 % 5000);
		assert_int_equal(fl_json_int(fl_json_get(v, key), -1), i);
		assert_int_equal(fl_json_int(fl_json_get(copy, key), -1), i);
		assert_string_equal(fl_json_key_at(v, (size_t)i), key);
	}
	assert_null(fl_json_get(v, "k5000"));
	assert_null(fl_json_get(v, ""));
	fl_json_free(v);
	fl_json_free(copy);
	b.data[--b.len] = '\0';
	fl_buf_addstr(&b, ",\"k77\":0}");
	assert_null(fl_json_parse(b.data, b.len, &err));
	assert_string_equal(err.msg, "member \"k77\" is there twice");
	fl_buf_release(&b);
}

static void
readers_answer_for_any_type(FL_UNUSED void **state)
{
	struct fl_json *v = parse("{\"s\":\"x\",\"i\":5,\"f\":1.5,\"b\":true,\"a\":[1,2],\"n\":null}", NULL);
	const struct fl_json *a = fl_json_get(v, "a");

	assert_string_equal(fl_json_str(fl_json_get(v, "s"), "d"), "x");
	assert_string_equal(fl_json_str(fl_json_get(v, "i"), "d"), "d");
	assert_string_equal(fl_json_str(NULL, "d"), "d");
	assert_int_equal(fl_json_int(fl_json_get(v, "i"), 9), 5);
	assert_int_equal(fl_json_int(fl_json_get(v, "f"), 9), 9);
	assert_int_equal(fl_json_int(fl_json_get(v, "s"), 9), 9);
	assert_true(fl_json_bool(fl_json_get(v, "b"), false));
	assert_true(fl_json_bool(fl_json_get(v, "i"), true));
	assert_int_equal(fl_json_len(a), 2);
	assert_int_equal(fl_json_len(v), 6);
	assert_int_equal(fl_json_len(fl_json_get(v, "s")), 0);
	assert_int_equal(fl_json_int(fl_json_at(a, 1), 0), 2);
	assert_null(fl_json_at(a, 2));
	assert_null(fl_json_get(a, "x"));
	assert_null(fl_json_key_at(a, 0));
	assert_string_equal(fl_json_key_at(v, 1), "i");
	assert_null(fl_json_key_at(v, 6));
	assert_true(fl_json_is_null(fl_json_get(v, "n")));
	assert_true(fl_json_is_null(fl_json_get(v, "absent")));
	assert_int_equal(fl_json_type(NULL), FL_JSON_NULL);
	assert_null(fl_json_dup(NULL));
	fl_json_free(v);
	fl_json_free(NULL);
}

static void
strict_members_name_what_is_wrong(FL_UNUSED void **state)
{
	struct fl_json *v = parse("{\"s\":\"x\",\"i\":5,\"f\":1.5,\"b\":true,\"a\":[],\"o\":{},\"n\":null}", NULL);
	const char *s = "kept";
	int64_t i = 42;
	bool b = false;
	const struct fl_json *c = v;
	struct fl_err err = { 0 };

	assert_int_equal(fl_json_member_str(v, "absent", &s, NULL) | fl_json_member_str(v, "n", &s, NULL), 0);
	assert_string_equal(s, "kept");
	assert_int_equal(fl_json_member_str(v, "s", &s, NULL), 0);
	assert_string_equal(s, "x");
	assert_int_equal(fl_json_member_str(v, "i", &s, &err), -1);
	assert_string_equal(err.msg, "\"i\" must be a string");
	assert_int_equal(err.kind, FL_ERR_INVALID);

	assert_int_equal(fl_json_member_int(v, "n", 0, 9, &i, NULL), 0);
	assert_int_equal(i, 42);
	assert_int_equal(fl_json_member_int(v, "i", 5, 5, &i, NULL), 0);
	assert_int_equal(i, 5);
	assert_int_equal(fl_json_member_int(v, "i", 6, 9, &i, &err), -1);
	assert_string_equal(err.msg, "\"i\" must be a whole number from 6 to 9");
	assert_int_equal(fl_json_member_int(v, "f", 0, 9, &i, NULL), -1);
	assert_int_equal(fl_json_member_int(v, "s", 0, 9, &i, NULL), -1);

	assert_int_equal(fl_json_member_bool(v, "b", &b, NULL), 0);
	assert_true(b);
	assert_int_equal(fl_json_member_bool(v, "s", &b, &err), -1);
	assert_string_equal(err.msg, "\"s\" must be true or false");

	assert_int_equal(fl_json_member_obj(v, "o", &c, NULL), 0);
	assert_int_equal(fl_json_type(c), FL_JSON_OBJECT);
	assert_int_equal(fl_json_member_obj(v, "n", &c, NULL), 0);
	assert_null(c);
	assert_int_equal(fl_json_member_obj(v, "a", &c, NULL), -1);
	assert_int_equal(fl_json_member_arr(v, "a", &c, NULL), 0);
	assert_int_equal(fl_json_type(c), FL_JSON_ARRAY);
	assert_int_equal(fl_json_member_arr(v, "o", &c, &err), -1);
	assert_string_equal(err.msg, "\"o\" must be an array");
	fl_json_free(v);
}

static void
the_writer_places_commas_and_keys(FL_UNUSED void **state)
{
	struct fl_buf b = { 0 };
	struct fl_jsonw w = fl_jsonw(&b);

	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_str(&w, "s", "x");
	fl_jsonw_str(&w, "n", NULL);
	fl_jsonw_str_oe(&w, "left out", "");
	fl_jsonw_str_oe(&w, "left out", NULL);
	fl_jsonw_str_oe(&w, "k\"ey", "v");
	fl_jsonw_open(&w, "a", '[');
	fl_jsonw_close(&w, ']');
	fl_jsonw_open(&w, "b", '[');
	fl_jsonw_int(&w, NULL, INT64_MIN);
	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_close(&w, '}');
	fl_jsonw_bool(&w, NULL, false);
	fl_jsonw_null(&w, NULL);
	fl_jsonw_raw(&w, NULL, "[1]");
	fl_jsonw_close(&w, ']');
	fl_jsonw_strn(&w, "z", "a\0b", 3);
	fl_jsonw_close(&w, '}');
	assert_string_equal(fl_buf_cstr(&b),
	    "{\"s\":\"x\",\"n\":null,\"k\\\"ey\":\"v\",\"a\":[],"
	    "\"b\":[-9223372036854775808,{},false,null,[1]],\"z\":\"a\\u0000b\"}");
	fl_buf_release(&b);
}

static void
what_is_no_utf8_is_replaced(FL_UNUSED void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"" },
		{ "a\xff" "b", "\"a\xef\xbf\xbd" "b\"" },
		{ "\xe2\x82", "\"\xef\xbf\xbd\xef\xbf\xbd\"" },
		{ "\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
		{ "\x1b\x7f", "\"\\u001b\x7f\"" },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct fl_buf b = { 0 };
		struct fl_jsonw w = fl_jsonw(&b);
		struct fl_json *v = NULL;

		fl_jsonw_str(&w, NULL, cases[i].text);
		assert_string_equal(fl_buf_cstr(&b), cases[i].want);
		v = fl_json_parse(b.data, b.len, NULL);
		assert_non_null(v);
		fl_json_free(v);
		fl_buf_release(&b);
	}
}

static void
doubles_are_short_and_exact(FL_UNUSED void **state)
{
	static const struct {
		double n;
		const char *want;
	} cases[] = {
		{ 0.1, "0.1" }, { 1.0 / 3, "0.3333333333333333" }, { 1e300, "1e+300" }, { -2.5, "-2.5" }, { 3, "3" },
		{ (double)INFINITY, "null" }, { (double)NAN, "null" },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct fl_buf b = { 0 };
		struct fl_jsonw w = fl_jsonw(&b);

		fl_jsonw_double(&w, NULL, cases[i].n);
		assert_string_equal(fl_buf_cstr(&b), cases[i].want);
		fl_buf_release(&b);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_read_is_written_again),
		cmocka_unit_test(what_is_not_json_is_refused),
		cmocka_unit_test(errors_say_where),
		cmocka_unit_test(escaped_text_is_not_mistaken_for_escapes),
		cmocka_unit_test(depth_is_bounded),
		cmocka_unit_test(size_is_bounded),
		cmocka_unit_test(large_objects_are_searched_and_checked),
		cmocka_unit_test(readers_answer_for_any_type),
		cmocka_unit_test(strict_members_name_what_is_wrong),
		cmocka_unit_test(the_writer_places_commas_and_keys),
		cmocka_unit_test(what_is_no_utf8_is_replaced),
		cmocka_unit_test(doubles_are_short_and_exact),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
