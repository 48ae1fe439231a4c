#include "libflynn/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void
an_empty_buf_is_an_empty_string(FL_UNUSED void **state)
{
	struct fl_buf b = { 0 };
	char *s = NULL;

	assert_string_equal(fl_buf_cstr(&b), "");
	fl_buf_clear(&b);
	s = fl_buf_detach(&b);
	assert_string_equal(s, "");
	free(s);
	fl_buf_release(&b);
}

static void
pieces_add_up(FL_UNUSED void **state)
{
	struct fl_buf b = { 0 };

	fl_buf_addstr(&b, "app ");
	fl_buf_addc(&b, '\"');
	fl_buf_addf(&b, "%s-%d", "web", 3);
	fl_buf_add(&b, "\"\0x", 3);
	assert_int_equal(b.len, 13);
	assert_memory_equal(b.data, "app \"web-3\"\0x", 14);
	fl_buf_clear(&b);
	assert_int_equal(b.len, 0);
	assert_string_equal(fl_buf_cstr(&b), "");
	fl_buf_release(&b);
}

/* Every length around the points where it grows. */
static void
growing_keeps_what_was_there(FL_UNUSED void **state)
{
	struct fl_buf bytes = { 0 }, formatted = { 0 };

	for (size_t i = 0; i < 5000; i++) {
		char c = (char)('a' + i % 26);

		fl_buf_addc(&bytes, c);
		fl_buf_addf(&formatted, "%c", c);
		assert_int_equal(strlen(bytes.data), i + 1);
		assert_int_equal(strlen(formatted.data), i + 1);
	}
	assert_string_equal(bytes.data, formatted.data);
	for (int i = 0; i < 5000; i++)
		assert_int_equal(bytes.data[i], 'a' + i % 26);
	fl_buf_release(&bytes);
	fl_buf_release(&formatted);
}

static void
long_formats_are_not_cut(FL_UNUSED void **state)
{
	for (int width = 60; width < 140; width++) {
		struct fl_buf b = { 0 };

		fl_buf_addf(&b, "%*d", width, 7);
		assert_int_equal(b.len, width);
		assert_int_equal(strlen(b.data), width);
		assert_int_equal(b.data[width - 1], '7');
		fl_buf_release(&b);
	}
}

static void
detaching_hands_over(FL_UNUSED void **state)
{
	struct fl_buf b = { 0 };
	char *s = NULL;

	fl_buf_addstr(&b, "slug");
	s = fl_buf_detach(&b);
	assert_string_equal(s, "slug");
	assert_null(b.data);
	assert_int_equal(b.len, 0);
	free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_buf_is_an_empty_string),
		cmocka_unit_test(pieces_add_up),
		cmocka_unit_test(growing_keeps_what_was_there),
		cmocka_unit_test(long_formats_are_not_cut),
		cmocka_unit_test(detaching_hands_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
