#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "host/engine.h"
#include "host/winsize.h"
#include "libflynn/attr.h"
#include "libflynn/err.h"
#include "libflynn/http_client.h"

/* An engine that answers when the test says so. */
static struct {
	char path[128]; /* of the last call */
	int calls, cancelled;
	fl_http_client_cb cb;
	void *arg;
} asked;

static char calls_in_flight[8]; /* whose addresses are the calls */

struct fl_http_call *
engine_start(FL_UNUSED struct engine *e, const struct engine_call *call, fl_http_client_cb cb, void *arg, const char *fmt, ...)
{
	va_list ap;

	assert_string_equal(call->method, "POST");
	va_start(ap, fmt);
	vsnprintf(asked.path, sizeof(asked.path), fmt, ap);
	va_end(ap);
	asked.cb = cb;
	asked.arg = arg;
	return (struct fl_http_call *)(void *)&calls_in_flight[asked.calls++];
}

void
fl_http_call_cancel(FL_UNUSED struct fl_http_call *call)
{
	asked.cancelled++;
}

int
engine_check(FL_UNUSED const struct engine *e, FL_UNUSED const struct fl_http_result *res, FL_UNUSED const struct fl_err *call_err,
    FL_UNUSED const char *what, FL_UNUSED struct fl_err *err)
{
	return 0;
}

static void
answer(void)
{
	static const struct fl_http_result res = { .status = 200, .body = "", .content_type = "" };

	asked.cb(&res, NULL, asked.arg);
}

static void
tell(struct winsize_teller *w, uint16_t rows, uint16_t cols)
{
	w->rows = rows;
	w->cols = cols;
	winsize_tell(w, NULL, "exec", "abc");
}

static int
setup(FL_UNUSED void **state)
{
	memset(&asked, 0, sizeof(asked));
	return 0;
}

static void
the_newest_size_is_told_last(FL_UNUSED void **state)
{
	struct winsize_teller w = { 0 };

	tell(&w, 24, 80);
	assert_string_equal(asked.path, "/exec/abc/resize?h=24&w=80");
	tell(&w, 30, 100);
	tell(&w, 31, 101);
	assert_int_equal(asked.calls, 1);
	answer();
	assert_string_equal(asked.path, "/exec/abc/resize?h=31&w=101");
	answer();
	assert_int_equal(asked.calls, 2);
	tell(&w, 32, 102);
	assert_int_equal(asked.calls, 3);
	answer();
	winsize_release(&w);
	assert_int_equal(asked.cancelled, 0);
}

static void
a_size_that_nobody_knows_is_not_told(FL_UNUSED void **state)
{
	struct winsize_teller w = { 0 };

	tell(&w, 0, 80);
	tell(&w, 24, 0);
	assert_int_equal(asked.calls, 0);
	winsize_release(&w);
}

static void
a_call_does_not_outlive_its_teller(FL_UNUSED void **state)
{
	struct winsize_teller w = { 0 };

	tell(&w, 24, 80);
	winsize_release(&w);
	assert_int_equal(asked.cancelled, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_newest_size_is_told_last, setup),
		cmocka_unit_test_setup(a_size_that_nobody_knows_is_not_told, setup),
		cmocka_unit_test_setup(a_call_does_not_outlive_its_teller, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
