#include "libflynn/sse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"

/* Writes each event down as "event|id|data;". */
static void
note(const char *event, const char *id, const char *data, size_t len, void *arg)
{
	assert_int_equal(strlen(data), len);
	fl_buf_addf(arg, "%s|%s|%s;", event, id, data);
}

static const struct {
	const char *stream, *want;
} streams[] = {
	{ "data: x\n\n", "||x;" },
	{ "data:x\n\n", "||x;" },
	{ "data:  x\n\n", "|| x;" },
	{ "data\n\n", "||;" },
	{ "data:\n\n", "||;" },
	{ "data: a\ndata: b\n\n", "||a\nb;" },
	{ "data: a\ndata:\ndata: b\n\n", "||a\n\nb;" },
	{ "event: up\nid: 7\ndata: {}\n\n", "up|7|{};" },
	{ "id: 7\ndata: a\n\ndata: b\n\n", "|7|a;||b;" },
	{ "event: up\n\ndata: x\n\n", "||x;" },
	{ ": comment\nretry: 9\nunknown: x\ndata: x\n\n", "||x;" },
	{ "data: x\r\n\r\ndata: y\r\rdata: z\n\n", "||x;||y;||z;" },
	{ "data: x\r\n\n", "||x;" },
	{ "\xef\xbb\xbf" "data: x\n\n", "||x;" },
	{ "data: x\n\n\xef\xbb\xbf" "data: y\n\n", "||x;" },
	{ "data: x\n", "" },
	{ "data: x", "" },
	{ "\n\n\n", "" },
	{ "event: a\nevent: b\ndata: c:d\n\n", "b||c:d;" },
};

static void
streams_become_events(FL_UNUSED void **state)
{
	for (size_t i = 0; i < fl_nitems(streams); i++) {
		struct fl_buf got = { 0 };
		struct fl_sse *s = fl_sse_new(1000, note, &got);

		assert_int_equal(fl_sse_feed(s, streams[i].stream, strlen(streams[i].stream), NULL), 0);
		assert_string_equal(fl_buf_cstr(&got), streams[i].want);
		fl_sse_free(s);
		fl_buf_release(&got);
	}
	fl_sse_free(NULL);
}

static void
the_size_of_the_pieces_does_not_matter(FL_UNUSED void **state)
{
	for (size_t i = 0; i < fl_nitems(streams); i++) {
		struct fl_buf got = { 0 };
		struct fl_sse *s = fl_sse_new(1000, note, &got);

		for (const char *p = streams[i].stream; *p != '\0'; p++) {
			assert_int_equal(fl_sse_feed(s, p, 1, NULL), 0);
			assert_int_equal(fl_sse_feed(s, p, 0, NULL), 0);
		}
		assert_string_equal(fl_buf_cstr(&got), streams[i].want);
		fl_sse_free(s);
		fl_buf_release(&got);
	}
}

static void
an_event_is_bounded_and_a_stream_is_not(FL_UNUSED void **state)
{
	static const char line[] = "data: 0123456789\n";
	struct fl_buf got = { 0 };
	struct fl_sse *s = fl_sse_new(64, note, &got);
	struct fl_err err = { 0 };
	int rc = 0, lines = 0;

	for (int i = 0; i < 100; i++)
		assert_int_equal(fl_sse_feed(s, "data: 0123456789\n\n", sizeof(line), NULL), 0);
	for (int i = 0; i < 100; i++)
		assert_int_equal(fl_sse_feed(s, ": a comment of some length\n", 27, NULL), 0);
	for (; rc == 0 && lines < 100; lines++)
		rc = fl_sse_feed(s, line, sizeof(line) - 1, &err);
	assert_int_equal(rc, -1);
	assert_int_equal(err.kind, FL_ERR_TOO_BIG);
	assert_in_range(lines, 4, 7);
	fl_sse_free(s);
	fl_buf_release(&got);
}

static void
what_is_written_is_read(FL_UNUSED void **state)
{
	static const struct {
		const char *event, *id, *data, *text, *want;
	} cases[] = {
		{ NULL, NULL, "x", "data: x\n\n", "||x;" },
		{ "up", "9", "{}", "event: up\nid: 9\ndata: {}\n\n", "up|9|{};" },
		{ NULL, NULL, "", "data: \n\n", "||;" },
		{ NULL, NULL, "a\nb\r\nc\rd\n", "data: a\ndata: b\ndata: c\ndata: d\ndata: \n\n", "||a\nb\nc\nd\n;" },
		{ "up\nid: 5", "6\r\ndata: y", "x", "event: up\nid: 6\ndata: x\n\n", "up|6|x;" },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct fl_buf b = { 0 }, got = { 0 };
		struct fl_sse *s = fl_sse_new(1000, note, &got);

		fl_sse_write(&b, cases[i].event, cases[i].id, cases[i].data);
		assert_string_equal(fl_buf_cstr(&b), cases[i].text);
		assert_int_equal(fl_sse_feed(s, b.data, b.len, NULL), 0);
		assert_string_equal(fl_buf_cstr(&got), cases[i].want);
		fl_sse_free(s);
		fl_buf_release(&b);
		fl_buf_release(&got);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(streams_become_events),
		cmocka_unit_test(the_size_of_the_pieces_does_not_matter),
		cmocka_unit_test(an_event_is_bounded_and_a_stream_is_not),
		cmocka_unit_test(what_is_written_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
