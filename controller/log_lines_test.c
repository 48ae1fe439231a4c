#include "controller/log_lines.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "libflynn/attr.h"

#define T1 "2014-08-16T21:16:12.123456789Z "
#define T2 "2014-08-16T21:16:13Z "

static void
record(const char *stamp, const char *text, size_t len, void *arg)
{
	fl_buf_addf(arg, "[%s|", stamp);
	fl_buf_add(arg, text, len);
	fl_buf_addc(arg, ']');
}

static void
lines_have_times_however_they_are_cut(FL_UNUSED void **state)
{
	static const char text[] = T1 "one\n" T2 "\n\nno time\n" T1 "two \r\n2014 is no time\n" T2 "last";
	static const char want[] = "[2014-08-16T21:16:12.123456789Z|one][2014-08-16T21:16:13Z|][|][|no time]"
				   "[2014-08-16T21:16:12.123456789Z|two ][|2014 is no time][2014-08-16T21:16:13Z|last]";

	for (size_t cut = 0; cut < sizeof(text); cut++) {
		struct log_lines l = { 0 };
		struct fl_buf got = { 0 };

		log_lines_feed(&l, text, cut, record, &got);
		log_lines_feed(&l, text + cut, strlen(text + cut), record, &got);
		log_lines_end(&l, record, &got);
		log_lines_end(&l, record, &got); /* nothing is left */
		assert_string_equal(fl_buf_cstr(&got), want);
		fl_buf_release(&got);
		log_lines_release(&l);
	}
}

/* A line of n bytes as the engine writes it: a time before each 16 KiB. */
static void
add_long(struct fl_buf *b, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (i % (16 << 10) == 0)
			fl_buf_addstr(b, T1);
		fl_buf_addc(b, (char)('a' + i % 26));
	}
	fl_buf_addc(b, '\n');
}

static void
long_lines_are_joined(FL_UNUSED void **state)
{
	static const size_t sizes[] = { 16383, 16384, 16385, 50000, 65536 };

	for (size_t i = 0; i < fl_nitems(sizes); i++) {
		struct log_lines l = { 0 };
		struct fl_buf in = { 0 }, got = { 0 };

		add_long(&in, sizes[i]);
		log_lines_feed(&l, in.data, in.len, record, &got);
		assert_int_equal(got.len, sizes[i] + strlen("[|]") + strlen(T1) - 1);
		for (size_t at = 0; at < sizes[i]; at++)
			assert_int_equal(got.data[strlen(T1) + 1 + at], 'a' + at % 26);
		fl_buf_release(&in);
		fl_buf_release(&got);
		log_lines_release(&l);
	}
}

/* Cut between pieces, so that each part has its time and no time is left in the text. */
static void
longer_ones_come_in_parts(FL_UNUSED void **state)
{
	struct log_lines l = { 0 };
	struct fl_buf in = { 0 }, got = { 0 };
	size_t parts = 0;

	add_long(&in, 200000);
	for (size_t at = 0; at < in.len; at += 1000)
		log_lines_feed(&l, in.data + at, in.len - at < 1000 ? in.len - at : 1000, record, &got);
	for (const char *p = fl_buf_cstr(&got); (p = strstr(p, "2014-")) != NULL; p++)
		parts++;
	assert_int_equal(parts, 4);
	assert_int_equal(got.len, 200000 + parts * (strlen("[|]") + strlen(T1) - 1));
	fl_buf_release(&in);
	fl_buf_release(&got);
	log_lines_release(&l);
}

static void
endless_lines_have_a_bound(FL_UNUSED void **state)
{
	struct log_lines l = { 0 };
	struct fl_buf got = { 0 };
	char data[10000];

	memset(data, 'x', sizeof(data));
	for (int i = 0; i < 100; i++) {
		log_lines_feed(&l, data, sizeof(data), record, &got);
		assert_true(l.partial.len <= (size_t)LOG_LINE_PIECES * (16 << 10));
	}
	assert_true(got.len > 90 * sizeof(data));
	fl_buf_release(&got);
	log_lines_release(&l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_have_times_however_they_are_cut),
		cmocka_unit_test(long_lines_are_joined),
		cmocka_unit_test(longer_ones_come_in_parts),
		cmocka_unit_test(endless_lines_have_a_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
