#include "libflynn/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <event2/buffer.h>
#include <cmocka.h>

#include "libflynn/attr.h"
#include "libflynn/err.h"

static struct fl_frame_reader *
new_reader(void)
{
	return calloc(1, sizeof(struct fl_frame_reader));
}

static void
frames_have_their_bytes(FL_UNUSED void **state)
{
	static const unsigned char want[] = {
		3, 1, 0, 0, 0, 2, 'h', 'i',
		3, 0, 0, 0, 0, 0,
		4, 0, 0, 0, 15,
		5, 0, 0, 1, 0,
		6, 0, 24, 0, 80,
	};
	struct evbuffer *b = evbuffer_new();

	fl_frame_write_data(b, FL_FRAME_STDOUT, "hi", 2);
	fl_frame_write_data(b, FL_FRAME_STDOUT, "", 0); /* would end the stream: nothing is written */
	fl_frame_write_eof(b, FL_FRAME_STDIN);
	fl_frame_write_signal(b, 15);
	fl_frame_write_exit(b, 256);
	fl_frame_write_resize(b, 24, 80);
	assert_int_equal(evbuffer_get_length(b), sizeof(want));
	assert_memory_equal(evbuffer_pullup(b, -1), want, sizeof(want));
	evbuffer_free(b);
}

static void
what_is_written_is_read(FL_UNUSED void **state)
{
	struct fl_frame_reader *r = new_reader();
	struct evbuffer *b = evbuffer_new();
	struct fl_frame f;

	fl_frame_write_data(b, FL_FRAME_STDERR, "oops", 4);
	fl_frame_write_eof(b, FL_FRAME_STDERR);
	fl_frame_write_signal(b, 9);
	fl_frame_write_resize(b, 65535, 1);
	fl_frame_write_exit(b, UINT32_MAX);

	assert_int_equal(fl_frame_read(r, b, &f, NULL), 1);
	assert_int_equal(f.type, FL_FRAME_DATA);
	assert_int_equal(f.stream, FL_FRAME_STDERR);
	assert_int_equal(f.len, 4);
	assert_memory_equal(f.data, "oops", 4);
	assert_int_equal(f.eof, 0);
	assert_int_equal(fl_frame_read(r, b, &f, NULL), 1);
	assert_int_equal(f.type, FL_FRAME_DATA);
	assert_int_equal(f.eof, 1);
	assert_int_equal(f.len, 0);
	assert_int_equal(fl_frame_read(r, b, &f, NULL), 1);
	assert_int_equal(f.type, FL_FRAME_SIGNAL);
	assert_int_equal(f.value, 9);
	assert_int_equal(fl_frame_read(r, b, &f, NULL), 1);
	assert_int_equal(f.type, FL_FRAME_RESIZE);
	assert_int_equal(f.rows, 65535);
	assert_int_equal(f.cols, 1);
	assert_int_equal(fl_frame_read(r, b, &f, NULL), 1);
	assert_int_equal(f.type, FL_FRAME_EXIT);
	assert_true(f.value == UINT32_MAX);
	assert_int_equal(fl_frame_read(r, b, &f, NULL), 0);
	evbuffer_free(b);
	free(r);
}

/* Much data, in a stream cut into pieces of any size, arrives whole and in order. */
static void
long_data_is_read_in_parts(FL_UNUSED void **state)
{
	static const size_t steps[] = { 1, 5, 6, 7, 1000, 16384, 70000, 1 << 20 };
	static unsigned char sent[150000];

	for (size_t i = 0; i < sizeof(sent); i++)
		sent[i] = (unsigned char)(i * 31 / 7);
	for (size_t i = 0; i < fl_nitems(steps); i++) {
		struct fl_frame_reader *r = new_reader();
		struct evbuffer *wire = evbuffer_new(), *in = evbuffer_new();
		struct fl_frame f;
		size_t got = 0;

		fl_frame_write_data(wire, FL_FRAME_STDIN, sent, sizeof(sent));
		assert_int_equal(evbuffer_get_length(wire), sizeof(sent) + 3 * 6);
		while (evbuffer_get_length(wire) > 0) {
			evbuffer_remove_buffer(wire, in, steps[i]);
			while (fl_frame_read(r, in, &f, NULL) == 1) {
				assert_true(f.len > 0 && f.len <= sizeof(r->part));
				assert_memory_equal(f.data, sent + got, f.len);
				got += f.len;
			}
		}
		assert_int_equal(got, sizeof(sent));
		evbuffer_free(wire);
		evbuffer_free(in);
		free(r);
	}
}

static void
what_is_no_frame_is_refused(FL_UNUSED void **state)
{
	static const char *const cases[] = { "\x02", "\x07", "\xff", "\x02\x01\x01\x01\x01\x01\x01", "\x03\x03\x01\x01\x01\x01" };
	static const char *const partial[] = { "", "\x03", "\x03\x01\x01\x01\x01", "\x04", "\x05\x01\x01\x01", "\x06\x01" };
	struct fl_frame f;

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct fl_frame_reader *r = new_reader();
		struct evbuffer *b = evbuffer_new();
		struct fl_err err = { 0 };

		evbuffer_add(b, cases[i], strlen(cases[i]));
		assert_int_equal(fl_frame_read(r, b, &f, &err), -1);
		assert_int_equal(err.kind, FL_ERR_INVALID);
		evbuffer_free(b);
		free(r);
	}
	for (size_t i = 0; i < fl_nitems(partial); i++) {
		struct fl_frame_reader *r = new_reader();
		struct evbuffer *b = evbuffer_new();

		evbuffer_add(b, partial[i], strlen(partial[i]));
		assert_int_equal(fl_frame_read(r, b, &f, NULL), 0);
		assert_int_equal(evbuffer_get_length(b), strlen(partial[i]));
		evbuffer_free(b);
		free(r);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_have_their_bytes),
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(long_data_is_read_in_parts),
		cmocka_unit_test(what_is_no_frame_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
