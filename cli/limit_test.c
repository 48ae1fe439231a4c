#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/limit.h"
#include "libflynn/attr.h"
#include "libflynn/err.h"

static void
sizes_are_read(FL_UNUSED void **state)
{
	static const struct {
		const char *word;
		int64_t memory, cpu;
	} cases[] = {
		{ "memory=512MB", (int64_t)512 << 20, 7 },
		{ "memory=1gb", (int64_t)1 << 30, 7 },
		{ "memory=8192K", (int64_t)8 << 20, 7 },
		{ "memory=6291456", 6291456, 7 },
		{ "memory=6291456B", 6291456, 7 },
		{ "memory=none", 0, 7 },
		{ "cpu=500", 7, 500 },
		{ "cpu=none", 7, 0 },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		int64_t values[LIMIT_MAX] = { 7, 7 };

		assert_int_equal(limit_parse(cases[i].word, values, NULL), 0);
		assert_int_equal(values[LIMIT_MEMORY], cases[i].memory);
		assert_int_equal(values[LIMIT_CPU], cases[i].cpu);
	}
}

static void
others_are_refused_with_a_sentence(FL_UNUSED void **state)
{
	static const struct {
		const char *word, *want;
	} cases[] = {
		{ "memory=", "is no size" }, { "memory=x", "is no size" }, { "memory=1XB", "is no size" }, { "memory=-1", "is no size" },
		{ "memory= 512MB", "is no size" }, { "memory=1.5GB", "is no size" }, { "memory=9999999999999999999999", "is no size" },
		{ "memory=99999999999GB", "is no size" }, { "memory=1MB", "is too little" }, { "memory=0", "is too little" },
		{ "cpu=", "thousandths" }, { "cpu=0", "thousandths" }, { "cpu=9", "thousandths" }, { "cpu=1000001", "thousandths" },
		{ "cpu=1x", "thousandths" }, { "disk=1", "is no limit" }, { "memory", "is no limit" }, { "", "is no limit" },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		int64_t values[LIMIT_MAX] = { 0 };
		struct fl_err err = { 0 };

		assert_int_equal(limit_parse(cases[i].word, values, &err), -1);
		assert_non_null(strstr(err.msg, cases[i].want));
	}
}

static void
they_are_shown_as_written(FL_UNUSED void **state)
{
	static const char *const words[] = { "memory=512MB", "memory=1GB", "memory=6145KB", "memory=6291457B", "memory=none", "cpu=500", "cpu=none" };
	char out[LIMIT_TEXT];

	for (size_t i = 0; i < fl_nitems(words); i++) {
		int64_t values[LIMIT_MAX] = { 0 };
		enum limit_kind kind = words[i][0] == 'm' ? LIMIT_MEMORY : LIMIT_CPU;

		assert_int_equal(limit_parse(words[i], values, NULL), 0);
		assert_string_equal(limit_text(kind, values[kind], out), strchr(words[i], '=') + 1);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_are_read),
		cmocka_unit_test(others_are_refused_with_a_sentence),
		cmocka_unit_test(they_are_shown_as_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
