#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/size.h"

static void
a_size_is_told_in_its_largest_whole_unit(void **state)
{
	static const struct {
		int64_t bytes;
		const char *want;
	} cases[] = {
		{ 0, "0 B" }, { 1023, "1023 B" }, { 1024, "1 KB" }, { 1500, "1 KB" }, { 1536 * 1024, "1536 KB" },
		{ (int64_t)512 << 20, "512 MB" }, { (int64_t)1536 << 20, "1536 MB" }, { (int64_t)2 << 30, "2 GB" },
		{ (int64_t)3 << 40, "3 TB" }, { INT64_MAX, "9007199254740991 KB" },
	};

	(void)state;
	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct fl_buf b = { 0 };

		fl_size_write(&b, cases[i].bytes);
		assert_string_equal(fl_buf_cstr(&b), cases[i].want);
		fl_buf_release(&b);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_size_is_told_in_its_largest_whole_unit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
