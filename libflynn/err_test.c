#include "libflynn/err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void
setting_returns_minus_one_and_fills(FL_UNUSED void **state)
{
	struct fl_err err = { 0 };

	assert_int_equal(fl_err_set(&err, FL_ERR_NOT_FOUND, "app %s", "x"), -1);
	assert_int_equal(err.kind, FL_ERR_NOT_FOUND);
	assert_string_equal(err.msg, "app x");
	assert_int_equal(fl_err_set(NULL, FL_ERR_NOT_FOUND, "app"), -1);
	assert_int_equal(fl_err_sys(NULL, "app"), -1);
	assert_int_equal(fl_err_wrap(NULL, "app"), -1);
}

static void
errno_chooses_the_kind_and_ends_the_sentence(FL_UNUSED void **state)
{
	static const struct {
		int number;
		enum fl_err_kind kind;
		const char *msg;
	} cases[] = {
		{ ENOENT, FL_ERR_SYSTEM, "open /x: No such file or directory" },
		{ ENOSPC, FL_ERR_NO_SPACE, "open /x: No space left on device" },
		{ EDQUOT, FL_ERR_NO_SPACE, "open /x: Disk quota exceeded" },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct fl_err err = { 0 };

		errno = cases[i].number;
		assert_int_equal(fl_err_sys(&err, "open %s", "/x"), -1);
		assert_int_equal(err.kind, cases[i].kind);
		assert_string_equal(err.msg, cases[i].msg);
		assert_int_equal(errno, cases[i].number);
	}
}

static void
wrapping_puts_the_doing_in_front(FL_UNUSED void **state)
{
	struct fl_err err = { 0 };

	fl_err_set(&err, FL_ERR_TIMEOUT, "no answer");
	fl_err_wrap(&err, "ask %s", "host");
	assert_string_equal(err.msg, "ask host: no answer");
	assert_int_equal(err.kind, FL_ERR_TIMEOUT);
}

static void
an_error_may_be_made_of_itself(FL_UNUSED void **state)
{
	struct fl_err err = { 0 };

	fl_err_set(&err, FL_ERR_SYSTEM, "inner");
	fl_err_set(&err, FL_ERR_INVALID, "outer: %s", err.msg);
	assert_string_equal(err.msg, "outer: inner");
}

static void
what_is_too_long_is_cut(FL_UNUSED void **state)
{
	struct fl_err err = { 0 };
	char text[2 * sizeof(err.msg)];

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	fl_err_set(&err, FL_ERR_INVALID, "%s", text);
	assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
	fl_err_wrap(&err, "doing");
	assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
	assert_memory_equal(err.msg, "doing: xxx", 10);
	fl_err_wrap(&err, "%s", text);
	assert_memory_equal(err.msg, "xxx", 3);
	errno = EIO;
	fl_err_sys(&err, "%s", text);
	assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
}

static void
kinds_and_statuses_map_both_ways(FL_UNUSED void **state)
{
	static const struct {
		int status;
		enum fl_err_kind kind;
	} others[] = {
		{ 403, FL_ERR_DENIED }, { 408, FL_ERR_TIMEOUT }, { 422, FL_ERR_INVALID },
		{ 429, FL_ERR_UNAVAILABLE }, { 502, FL_ERR_UNAVAILABLE }, { 599, FL_ERR_SYSTEM }, { 301, FL_ERR_SYSTEM },
	};

	for (enum fl_err_kind kind = FL_ERR_INVALID; kind < FL_ERR_MAX; kind++) {
		assert_int_equal(fl_err_of_status(fl_err_status(kind)), kind);
		assert_true(strlen(fl_err_code(kind)) > 0);
	}
	for (size_t i = 0; i < fl_nitems(others); i++)
		assert_int_equal(fl_err_of_status(others[i].status), others[i].kind);
	assert_string_equal(fl_err_code(FL_ERR_NOT_FOUND), "not_found");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(setting_returns_minus_one_and_fills),
		cmocka_unit_test(errno_chooses_the_kind_and_ends_the_sentence),
		cmocka_unit_test(wrapping_puts_the_doing_in_front),
		cmocka_unit_test(an_error_may_be_made_of_itself),
		cmocka_unit_test(what_is_too_long_is_cut),
		cmocka_unit_test(kinds_and_statuses_map_both_ways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
