#include "controller/gob_read.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "libflynn/attr.h"
#include "libflynn/err.h"

/* What Go's own encoder wrote for a first call. */
#define REQUEST \
	"\x2f\xff\x81\x03\x01\x01\x07Request\x01\xff\x82\x00\x01\x02\x01\x0dServiceMethod\x01\x0c\x00\x01\x03Seq\x01\x06\x00\x00\x00"
#define CALL "\x13\xff\x82\x01\x0e" "Agent.Register\x00"
#define ARGS \
	"\x2f\xff\x83\x03\x01\x01\x04" "Args\x01\xff\x84\x00\x01\x03\x01\x04Name\x01\x0c\x00\x01\x04" "Addr\x01\x0c\x00\x01\x05" "Attrs\x01\xff\x86\x00\x00\x00" \
	"\x21\xff\x85\x04\x01\x01\x11map[string]string\x01\xff\x86\x00\x01\x0c\x01\x0c\x00\x00"     \
	"\x0d\xff\x84\x01\x03web\x01\x03:80\x00"
#define TIME "\x10\xff\x87\x05\x01\x01\x04Time\x01\xff\x88\x00\x00\x00"
#define NOW "\x13\xff\x88\x00\x0f\x01\x00\x00\x00\x0e\xcb\x6f\xe0\x4b\x00\x00\x00\x00\xff\xff"

static void
expect_calls(struct gob_reader *r, const char *data, size_t len)
{
	struct gob_value v;
	size_t used, at = 0;

	assert_int_equal(gob_read(r, data, len, &v, &used, NULL), 1);
	assert_int_equal(v.shape, GOB_SHAPE_HEADER);
	assert_true(fl_span_eq(v.method, "Agent.Register") && v.seq == 0);
	at += used;
	assert_int_equal(gob_read(r, data + at, len - at, &v, &used, NULL), 1);
	assert_int_equal(v.shape, GOB_SHAPE_OTHER);
	at += used;
	assert_int_equal(gob_read(r, data + at, len - at, &v, &used, NULL), 1);
	assert_true(fl_span_eq(v.method, "X") && v.seq == 300);
	at += used;
	assert_int_equal(gob_read(r, data + at, len - at, &v, &used, NULL), 1);
	assert_int_equal(v.shape, GOB_SHAPE_ENCODED);
	assert_int_equal(v.encoded.len, 15);
	assert_int_equal(at + used, len);
}

static void
calls_of_the_real_encoder_are_read(FL_UNUSED void **state)
{
	static const char data[] = REQUEST CALL ARGS "\x0a\xff\x82\x01\x01X\x01\xfe\x01\x2c\x00" TIME NOW;
	struct gob_reader r = { 0 };

	expect_calls(&r, data, sizeof(data) - 1);
}

/* In a buffer of just the size, so that a sanitizer sees what is read behind it. */
static void
what_is_not_all_there_is_waited_for(FL_UNUSED void **state)
{
	static const char data[] = REQUEST CALL;

	for (size_t len = 0; len < sizeof(data) - 1; len++) {
		struct gob_reader r = { 0 };
		struct gob_value v;
		char *part = malloc(len + 1);
		size_t used;

		memcpy(part, data, len);
		assert_int_equal(gob_read(&r, part, len, &v, &used, NULL), 0);
		assert_int_equal(used, len < sizeof(REQUEST) - 1 ? 0 : sizeof(REQUEST) - 1);
		free(part);
	}
}

static void
the_order_of_a_headers_fields_is_the_clients(FL_UNUSED void **state)
{
	static const char data[] =
	    "\x2f\xff\x81\x03\x01\x01\x07Request\x01\xff\x82\x00\x01\x02\x01\x03Seq\x01\x06\x00\x01\x0dServiceMethod\x01\x0c\x00\x00\x00"
	    "\x08\xff\x82\x01\x05\x01\x01X\x00";
	struct gob_reader r = { 0 };
	struct gob_value v;
	size_t used;

	assert_int_equal(gob_read(&r, data, sizeof(data) - 1, &v, &used, NULL), 1);
	assert_int_equal(v.shape, GOB_SHAPE_HEADER);
	assert_true(fl_span_eq(v.method, "X") && v.seq == 5);
}

static void
what_is_wrong_is_refused(FL_UNUSED void **state)
{
#define CASE(text, kind) { text, sizeof(text) - 1, kind }
	static const struct {
		const char *data;
		size_t len;
		enum fl_err_kind kind;
	} cases[] = {
		CASE("\x00", FL_ERR_TOO_BIG),				   /* no message */
		CASE("\x80\x01", FL_ERR_INVALID),			   /* a length of 128 bytes */
		CASE("\xfd\x01\x00\x00", FL_ERR_TOO_BIG),		   /* 64 KiB */
		CASE("\xf8\xff\xff\xff\xff\xff\xff\xff\xff", FL_ERR_TOO_BIG), /* all there is */
		CASE("\x01\x00", FL_ERR_INVALID),			   /* type 0 */
		CASE("\x01\xff", FL_ERR_INVALID),			   /* broken off */
		CASE("\x01\x05", FL_ERR_INVALID),			   /* a description of type 3 */
		CASE("\x03\xff\x82\x00", FL_ERR_INVALID),		   /* not described */
		CASE("\x02\xff\x81", FL_ERR_INVALID),			   /* described as nothing */
		CASE("\x03\xff\x81\x03", FL_ERR_INVALID),		   /* broken off */
		CASE("\x03\xff\x81\x09", FL_ERR_INVALID),		   /* no kind of type */
		CASE("\x06\xff\x81\x03\x01\x01\x7f", FL_ERR_INVALID),	   /* a name longer than the message */
		CASE(REQUEST REQUEST, FL_ERR_INVALID),			   /* twice */
		CASE(REQUEST "\x05\xff\x82\x01\x7fX", FL_ERR_INVALID),	   /* a method longer than the message */
		CASE(REQUEST "\x04\xff\x82\x03\x00", FL_ERR_INVALID),	   /* a third field */
		CASE(REQUEST "\x04\xff\x82\x00\x00", FL_ERR_INVALID),	   /* more behind it */
		CASE(TIME "\x03\xff\x88\x01", FL_ERR_INVALID),		   /* a field where none can be */
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct gob_reader r = { 0 };
		struct fl_err err = { 0 };
		struct gob_value v;
		size_t used;

		assert_int_equal(gob_read(&r, cases[i].data, cases[i].len, &v, &used, &err), -1);
		assert_int_equal(err.kind, cases[i].kind);
	}
}

static void
types_are_bounded(FL_UNUSED void **state)
{
	char type[] = "\x08\xfe\x01\x00\x05\x01\x00\x00\x00";
	struct gob_reader r = { 0 };
	struct gob_value v;
	size_t used;

	for (int i = 0; i < GOB_MAX_TYPES; i++) {
		type[3] = (char)(2 * i + 1);
		assert_int_equal(gob_read(&r, type, sizeof(type) - 1, &v, &used, NULL), 0);
		assert_int_equal(used, sizeof(type) - 1);
	}
	type[2] = 2;
	assert_int_equal(gob_read(&r, type, sizeof(type) - 1, &v, &used, NULL), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calls_of_the_real_encoder_are_read),
		cmocka_unit_test(what_is_not_all_there_is_waited_for),
		cmocka_unit_test(the_order_of_a_headers_fields_is_the_clients),
		cmocka_unit_test(what_is_wrong_is_refused),
		cmocka_unit_test(types_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
