#include "controller/gob_write.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "controller/gob_time.h"
#include "libflynn/assert_test.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/clock.h"
#include "libflynn/json.h"

static const struct gob_field request_fields[] = { { "ServiceMethod", "method", &gob_string }, { "Seq", "seq", &gob_uint } };
static const struct gob_type request = { .kind = GOB_STRUCT, .id = 65, .name = "Request", .fields = request_fields, .n_fields = 2 };
static const struct gob_type map = { .kind = GOB_MAP, .id = 67, .name = "map[string]string", .elem = &gob_string };
static const struct gob_field args_fields[] = { { "Name", "name", &gob_string }, { "Addr", "addr", &gob_string }, { "Attrs", "attrs", &map } };
static const struct gob_type args = { .kind = GOB_STRUCT, .id = 66, .name = "Args", .fields = args_fields, .n_fields = 3 };

static void
write_text(struct gob_writer *w, struct fl_buf *out, const struct gob_type *type, const char *json)
{
	struct fl_json *v = fl_json_parse(json, strlen(json), NULL);

	assert_non_null(v);
	gob_write(w, out, type, v);
	fl_json_free(v);
}

/* What Go's own encoder wrote of equal values. */
static void
bytes_are_those_of_the_real_encoder(FL_UNUSED void **state)
{
	static const char described[] =
	    "\x2f\xff\x81\x03\x01\x01\x07Request\x01\xff\x82\x00\x01\x02\x01\x0dServiceMethod\x01\x0c\x00\x01\x03Seq\x01\x06\x00\x00\x00"
	    "\x13\xff\x82\x01\x0e" "Agent.Register\x00"
	    "\x2f\xff\x83\x03\x01\x01\x04" "Args\x01\xff\x84\x00\x01\x03\x01\x04Name\x01\x0c\x00\x01\x04" "Addr\x01\x0c\x00\x01\x05" "Attrs\x01\xff\x86\x00\x00\x00"
	    "\x21\xff\x85\x04\x01\x01\x11map[string]string\x01\xff\x86\x00\x01\x0c\x01\x0c\x00\x00"
	    "\x0d\xff\x84\x01\x03web\x01\x03:80\x00";
	static const char again[] = "\x15\xff\x82\x01\x0e" "Agent.Register\x01\x01\x00" "\x03\xff\x84\x00";
	struct gob_writer w = { 0 };
	struct fl_buf out = { 0 };

	write_text(&w, &out, &request, "{\"method\":\"Agent.Register\",\"seq\":0}");
	write_text(&w, &out, &args, "{\"name\":\"web\",\"addr\":\":80\",\"attrs\":{},\"more\":1}");
	assert_wrote(&out, described, sizeof(described) - 1);
	write_text(&w, &out, &request, "{\"method\":\"Agent.Register\",\"seq\":1}");
	gob_write(&w, &out, &args, NULL);
	assert_wrote(&out, again, sizeof(again) - 1);
}

static void
numbers_are_as_short_as_they_can_be(FL_UNUSED void **state)
{
	static const struct {
		uint64_t n;
		const char *want;
		size_t len;
	} uints[] = {
		{ 0, "\x00", 1 }, { 7, "\x07", 1 }, { 127, "\x7f", 1 }, { 128, "\xff\x80", 2 }, { 256, "\xfe\x01\x00", 3 },
		{ UINT64_MAX, "\xf8\xff\xff\xff\xff\xff\xff\xff\xff", 9 },
	};
	static const struct {
		int64_t n;
		const char *want;
		size_t len;
	} ints[] = { { 0, "\x00", 1 }, { 1, "\x02", 1 }, { -1, "\x01", 1 }, { -129, "\xfe\x01\x01", 3 }, { INT64_MIN, "\xf8\xff\xff\xff\xff\xff\xff\xff\xff", 9 } };
	struct fl_buf b = { 0 };

	for (size_t i = 0; i < fl_nitems(uints); i++) {
		gob_put_uint(&b, uints[i].n);
		assert_wrote(&b, uints[i].want, uints[i].len);
	}
	for (size_t i = 0; i < fl_nitems(ints); i++) {
		gob_put_int(&b, ints[i].n);
		assert_wrote(&b, ints[i].want, ints[i].len);
	}
}

/* Unlike fields, what stands in a map or a slice is there when it is zero, too. */
static void
elements_that_are_zero_are_written(FL_UNUSED void **state)
{
	static const char want[] = "\x08\xff\x84\x03\x01\x01" "A\x00\x00";
	struct gob_writer w = { 0 };
	struct fl_buf out = { 0 };

	gob_write(&w, &out, &args, NULL);
	fl_buf_release(&out);
	write_text(&w, &out, &args, "{\"attrs\":{\"A\":\"\"}}");
	assert_wrote(&out, want, sizeof(want) - 1);
}

static void
times_come_back(FL_UNUSED void **state)
{
	static const char *const texts[] = { "0001-01-01T00:00:00Z", "1969-12-31T23:59:59.999999Z", "1970-01-01T00:00:00Z", "2014-08-02T01:02:03.123456Z" };
	static const unsigned char known[GOB_TIME_LEN] = { 1, 0, 0, 0, 0x0e, 0xcb, 0x6f, 0xe0, 0x4b, 0x07, 0x5b, 0xca, 0x00, 0xff, 0xff };
	unsigned char bytes[GOB_TIME_LEN + 1] = { 0 };
	int64_t us = 0, back = 0;

	for (size_t i = 0; i < fl_nitems(texts); i++) {
		assert_int_equal(fl_clock_parse(texts[i], &us), 0);
		gob_time_write(us, bytes);
		assert_int_equal(gob_time_read(bytes, GOB_TIME_LEN, &back), 0);
		assert_true(us == back);
		bytes[0] = 2; /* as of newer versions */
		assert_int_equal(gob_time_read(bytes, GOB_TIME_LEN + 1, &back), 0);
		assert_int_equal(gob_time_read(bytes, GOB_TIME_LEN, &back), -1);
	}
	assert_int_equal(gob_time_read(known, sizeof(known), &back), 0);
	gob_time_write(back, bytes);
	assert_memory_equal(bytes, known, sizeof(known));
	memset(bytes + 1, 0xff, 8);
	bytes[0] = 1;
	assert_int_equal(gob_time_read(bytes, GOB_TIME_LEN, &back), -1);
	assert_int_equal(gob_time_read(bytes, 0, &back), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_are_those_of_the_real_encoder),
		cmocka_unit_test(numbers_are_as_short_as_they_can_be),
		cmocka_unit_test(elements_that_are_zero_are_written),
		cmocka_unit_test(times_come_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
