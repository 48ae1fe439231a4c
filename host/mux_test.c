#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "host/mux.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"

#define OUT(n) "\1\0\0\0\0\0\0" n
#define ERR(n) "\2\0\0\0\0\0\0" n

/* What comes out, as "1:text 2:text", when the bytes arrive in pieces of the given size. */
static void
feed(const char *data, size_t len, size_t piece, struct fl_buf *got, int *failed)
{
	struct mux m = { 0 };
	int last = -1;

	for (size_t at = 0; at < len && !*failed;) {
		size_t n = len - at < piece ? len - at : piece;
		const char *out = NULL;
		size_t out_len = 0;
		int64_t used = mux_feed(&m, data + at, n, &out, &out_len);

		if (used == -1) {
			*failed = 1;
			break;
		}
		at += (size_t)used;
		if (out_len == 0)
			continue;
		if ((int)m.stream != last)
			fl_buf_addf(got, "%s%d:", last == -1 ? "" : " ", (int)m.stream);
		last = (int)m.stream;
		fl_buf_add(got, out, out_len);
	}
}

static void
streams_are_told_apart_however_they_are_cut(void **state)
{
	static const char data[] = OUT("\5") "hello" ERR("\3") "oh!" OUT("\0") OUT("\6") " again";

	(void)state;
	for (size_t piece = 1; piece < sizeof(data); piece++) {
		struct fl_buf got = { 0 };
		int failed = 0;

		feed(data, sizeof(data) - 1, piece, &got, &failed);
		assert_false(failed);
		assert_string_equal(fl_buf_cstr(&got), "1:hello 2:oh! 1: again");
		fl_buf_release(&got);
	}
}

static void
what_is_not_multiplexed_is_refused(void **state)
{
	static const char *const cases[] = { "hello world", "\4\0\0\0\0\0\0\1x", "\1\1\0\0\0\0\0\1x" };

	(void)state;
	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct fl_buf got = { 0 };
		int failed = 0;

		feed(cases[i], 9, 9, &got, &failed);
		assert_true(failed);
		fl_buf_release(&got);
	}
}

static void
text_is_both_streams_and_stops_at_rubbish(void **state)
{
	static const char data[] = OUT("\2") "a\n" ERR("\2") "b\n" "rubbish";
	struct fl_buf text = { 0 };

	(void)state;
	mux_text(data, sizeof(data) - 1, &text);
	assert_string_equal(fl_buf_cstr(&text), "a\nb\n");
	fl_buf_release(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(streams_are_told_apart_however_they_are_cut),
		cmocka_unit_test(what_is_not_multiplexed_is_refused),
		cmocka_unit_test(text_is_both_streams_and_stops_at_rubbish),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
