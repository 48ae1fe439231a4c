#include "controller/utf8_tail.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "libflynn/attr.h"
#include "libflynn/buf.h"

/* "aé€😀z", and a text with bytes that are no UTF-8. */
static const char text[] = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z";
static const char broken[] = "\x80\x80\xff\xc3z\xe2\x82z\xf0";

static void
pieces_end_between_characters(FL_UNUSED void **state)
{
	for (size_t cut = 0; cut < sizeof(text); cut++) {
		struct utf8_tail t = { 0 };
		struct fl_buf first = { 0 }, second = { 0 };

		utf8_tail_join(&t, text, cut, &first);
		assert_true(first.len == cut || (text[first.len] & 0xc0) != 0x80);
		assert_true(cut - first.len <= 3);
		utf8_tail_join(&t, text + cut, sizeof(text) - 1 > cut ? sizeof(text) - 1 - cut : 0, &second);
		assert_int_equal(first.len + second.len, cut < sizeof(text) - 1 ? sizeof(text) - 1 : cut);
		assert_int_equal(t.len, 0);
		fl_buf_release(&first);
		fl_buf_release(&second);
	}
}

static void
no_byte_is_lost(FL_UNUSED void **state)
{
	struct utf8_tail t = { 0 };
	struct fl_buf all = { 0 }, piece = { 0 };

	for (size_t i = 0; i < sizeof(broken) - 1; i++) {
		utf8_tail_join(&t, broken + i, 1, &piece);
		fl_buf_add(&all, piece.data, piece.len);
		fl_buf_clear(&piece);
	}
	fl_buf_add(&all, t.bytes, t.len);
	assert_int_equal(all.len, sizeof(broken) - 1);
	assert_memory_equal(all.data, broken, all.len);
	fl_buf_release(&all);
	fl_buf_release(&piece);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_end_between_characters),
		cmocka_unit_test(no_byte_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
