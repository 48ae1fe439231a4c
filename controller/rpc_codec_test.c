#include "controller/rpc_codec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "controller/formation_gob.h"
#include "libflynn/assert_test.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"

/* What is described first: what a Response is, and the struct without a name or fields that stands for a result. */
static void
an_error_has_an_empty_result_by_gob(FL_UNUSED void **state)
{
	static const char want[] =
	    "\x3a\xff\x81\x03\x01\x01\x08Response\x01\xff\x82\x00\x01\x03\x01\x0dServiceMethod\x01\x0c\x00\x01\x03Seq\x01\x06\x00\x01\x05" "Error\x01\x0c\x00\x00\x00"
	    "\x0d\xff\x82\x01\x01M\x01\x03\x01\x03" "EOS\x00"
	    "\x0a\xff\x83\x03\x01\x02\xff\x84\x00\x00\x00"
	    "\x03\xff\x84\x00";
	struct rpc_request req = { .method = (char[]){ "M" }, .seq = 3 };
	struct rpc_codec codec = { 0 };
	struct fl_buf out = { 0 };

	rpc_codec_write(&codec, &out, &req, &formation_gob, NULL, "EOS");
	assert_wrote(&out, want, sizeof(want) - 1);
}

/* The sign that all were told. */
static void
an_empty_formation_has_no_fields_by_gob(FL_UNUSED void **state)
{
	static const char want[] = "\x06\xff\x82\x01\x01M\x00" "\x03\xff\xa0\x00";
	struct rpc_request req = { .method = (char[]){ "M" } };
	struct rpc_codec codec = { 0 };
	struct fl_buf out = { 0 };

	rpc_codec_write(&codec, &out, &req, &formation_gob, "{\"app\":{\"id\":\"a\"}}", NULL);
	fl_buf_release(&out);
	rpc_codec_write(&codec, &out, &req, &formation_gob, "{\"updated_at\":\"0001-01-01T00:00:00Z\"}", NULL);
	assert_wrote(&out, want, sizeof(want) - 1);
}

static void
replies_are_lines_by_json(FL_UNUSED void **state)
{
	static const char want[] = "{\"id\":[1],\"result\":{\"x\":1},\"error\":null}\n{\"id\":[1],\"result\":{},\"error\":\"EOS\"}\n";
	struct rpc_request req = { .method = (char[]){ "M" }, .id = (char[]){ "[1]" } };
	struct rpc_codec codec = { .is_json = true };
	struct fl_buf out = { 0 };

	rpc_codec_write(&codec, &out, &req, &formation_gob, "{\"x\":1}", NULL);
	rpc_codec_write(&codec, &out, &req, &formation_gob, NULL, "EOS");
	assert_wrote(&out, want, sizeof(want) - 1);
}

static void
requests_are_told_apart_by_json(FL_UNUSED void **state)
{
	static const char text[] = " {\"method\":\"A.B\",\"params\":[\"1970-01-01T00:00:01Z\"],\"id\":{\"}\":\"\\\"{\"}}\n{\"method\":\"C\"}";
	struct rpc_codec codec = { .is_json = true };
	struct rpc_request req = { 0 };
	size_t used, at;

	assert_int_equal(rpc_codec_read(&codec, text, sizeof(text) - 1, &used, &req, NULL), 1);
	assert_string_equal(req.method, "A.B");
	assert_string_equal(req.id, "{\"}\":\"\\\"{\"}");
	assert_true(req.has_time && req.time_us == 1000000);
	rpc_request_release(&req);
	at = used;
	assert_int_equal(rpc_codec_read(&codec, text + at, sizeof(text) - 2 - at, &used, &req, NULL), 0);
	assert_int_equal(used, 1);
	at += used;
	assert_int_equal(rpc_codec_read(&codec, text + at, sizeof(text) - 1 - at, &used, &req, NULL), 1);
	assert_string_equal(req.id, "null");
	assert_false(req.has_time);
	rpc_request_release(&req);
}

static void
a_request_that_does_not_end_is_refused_by_json(FL_UNUSED void **state)
{
	static char text[RPC_MAX_REQUEST];
	struct rpc_codec codec = { .is_json = true };
	struct rpc_request req = { 0 };
	struct fl_err err = { 0 };
	size_t used;

	memset(text, '{', sizeof(text));
	assert_int_equal(rpc_codec_read(&codec, text, sizeof(text) - 1, &used, &req, NULL), 0);
	assert_int_equal(rpc_codec_read(&codec, text, sizeof(text), &used, &req, &err), -1);
	assert_int_equal(err.kind, FL_ERR_TOO_BIG);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_error_has_an_empty_result_by_gob),
		cmocka_unit_test(an_empty_formation_has_no_fields_by_gob),
		cmocka_unit_test(replies_are_lines_by_json),
		cmocka_unit_test(requests_are_told_apart_by_json),
		cmocka_unit_test(a_request_that_does_not_end_is_refused_by_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
