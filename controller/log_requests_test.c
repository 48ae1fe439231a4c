#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "controller/log_requests.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/json.h"

static int
format(const char *record, struct fl_buf *text, char stamp[LOG_STAMP_LEN])
{
	struct fl_json *v = fl_json_parse(record, strlen(record), NULL);
	int r;

	assert_non_null(v);
	r = log_requests_format(v, text, stamp);
	fl_json_free(v);
	return r;
}

static void
a_record_is_a_line(FL_UNUSED void **state)
{
	static const struct {
		const char *record, *stamp, *text;
	} cases[] = {
		{ "{\"time\":\"2014-08-16T21:16:12.9Z\",\"method\":\"GET\",\"host\":\"x.y\",\"path\":\"/z?a=b\",\"status\":200,\"bytes_down\":45,"
		  "\"total_ms\":1234.567,\"instance\":\"10.0.0.1:55001\"}",
		    "2014-08-16T21:16:14.134567000Z", "GET x.y/z?a=b 200 in 1234.6 ms, 45 bytes, from 10.0.0.1:55001" },
		{ "{\"time\":\"2014-08-16T21:16:12Z\",\"method\":\"GET\",\"host\":\"x\",\"path\":\"/\",\"status\":0,\"whole\":false}",
		    "2014-08-16T21:16:12.000000000Z", "GET x/ no answer in 0.0 ms, 0 bytes, broke off" },
		{ "{\"time\":\"2014-08-16T21:16:12Z\",\"host\":\"a\\u001b[2Jb\",\"path\":\"/\\n\\u007f\",\"status\":404}",
		    "2014-08-16T21:16:12.000000000Z", "- a?[2Jb/?? 404 in 0.0 ms, 0 bytes" },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct fl_buf text = { 0 };
		char stamp[LOG_STAMP_LEN];

		assert_int_equal(format(cases[i].record, &text, stamp), 0);
		assert_string_equal(stamp, cases[i].stamp);
		assert_string_equal(fl_buf_cstr(&text), cases[i].text);
		fl_buf_release(&text);
	}
}

static void
what_is_no_record_is_no_line(FL_UNUSED void **state)
{
	static const char *const records[] = { "null", "{}", "[]", "7", "{\"time\":7}", "{\"time\":\"then\",\"status\":200}" };

	for (size_t i = 0; i < fl_nitems(records); i++) {
		struct fl_buf text = { 0 };
		char stamp[LOG_STAMP_LEN];

		assert_int_equal(format(records[i], &text, stamp), -1);
		fl_buf_release(&text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_is_a_line),
		cmocka_unit_test(what_is_no_record_is_no_line),
	};

	return cmocka_run_group_tests_name("log_requests", tests, NULL, NULL);
}
