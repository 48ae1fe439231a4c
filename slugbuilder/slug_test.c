#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "libflynn/attr.h"
#include "slugbuilder/slug.h"

static void
sizes_are_short_and_have_a_unit(FL_UNUSED void **state)
{
	static const struct {
		int64_t size;
		const char *want;
	} cases[] = {
		{ 0, "0.0K" }, { 800, "0.8K" }, { 1024, "1.0K" }, { 10240, "10K" }, { 1048576, "1.0M" },
		{ 5452595, "5.2M" }, { 10433331, "9.9M" }, { 10485760, "10M" }, { 47039317, "45M" },
		{ INT64_C(3) << 30, "3.0G" }, { INT64_C(5) << 40, "5.0T" }, { INT64_C(5) << 50, "5120T" },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		char shown[SLUG_SIZE_LEN];

		slug_format_size(cases[i].size, shown);
		assert_string_equal(shown, cases[i].want);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_are_short_and_have_a_unit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
