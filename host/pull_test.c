#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "host/engine.h"
#include "host/host.h"
#include "host/image.h"
#include "host/pull.h"
#include "libflynn/attr.h"
#include "libflynn/err.h"
#include "libflynn/http_client.h"

/* An engine that answers when the test says so. */
static struct {
	int (*on_data)(const char *data, size_t len, void *arg);
	fl_http_client_cb cb;
	void *arg;
} asked;

static char call_under_way; /* whose address is the call */

struct fl_http_call *
engine_start(FL_UNUSED struct engine *e, const struct engine_call *call, fl_http_client_cb cb, void *arg, FL_UNUSED const char *fmt, ...)
{
	asked.on_data = call != NULL ? call->on_data : NULL;
	asked.cb = cb;
	asked.arg = arg;
	return (struct fl_http_call *)(void *)&call_under_way;
}

int
engine_check(FL_UNUSED const struct engine *e, FL_UNUSED const struct fl_http_result *res, const struct fl_err *call_err,
    const char *what, struct fl_err *err)
{
	return call_err == NULL ? 0 : fl_err_set(err, FL_ERR_UNAVAILABLE, "%s: %s", what, call_err->msg);
}

static void
keep(const struct fl_err *err, void *arg)
{
	struct fl_err *out = arg;

	*out = *err;
}

/* Start a pull that reports that, in pieces of so many bytes, and then ends like that. */
static struct fl_err
pull(const char *report, size_t piece, const struct fl_err *end)
{
	static const struct fl_http_result res = { .status = 200, .body = "", .content_type = "" };
	struct host h = { 0 };
	char name[] = "large", tag[] = "latest";
	struct image image = { .name = name, .tag = tag };
	struct fl_err err = { 0 };
	size_t len = strlen(report);

	pull_start(&h, &image, keep, &err);
	for (size_t at = 0; at < len; at += piece)
		assert_int_equal(asked.on_data(report + at, len - at < piece ? len - at : piece, asked.arg), 0);
	asked.cb(end == NULL ? &res : NULL, end, asked.arg);
	return err;
}

static void
the_end_of_a_pull_has_its_reason(FL_UNUSED void **state)
{
	static const char complains[] = "{\"status\":\"Pulling\"}\r\n{\"error\":\"no such manifest\"}\r\n{\"status\":\"done\"}\r\n";
	static const struct {
		const char *report;
		struct fl_err end;
		enum fl_err_kind kind;
		const char *says;
	} cases[] = {
		{ complains, { FL_ERR_NONE, "" }, FL_ERR_NOT_FOUND, "(no such manifest)" },
		{ "{\"error\":\"no newline\"}", { FL_ERR_NONE, "" }, FL_ERR_NOT_FOUND, "(no newline)" },
		{ "{\"status\":\"Pulling\"}\r\n", { FL_ERR_TIMEOUT, "nothing came" }, FL_ERR_NOT_FOUND, "(nothing came from its registry for 60 s)" },
		{ "{\"status\":\"Pulling\"}\r\n", { FL_ERR_UNAVAILABLE, "it closed" }, FL_ERR_UNAVAILABLE, "it closed" },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		for (size_t piece = 1; piece < 100; piece += 7) {
			struct fl_err err = pull(cases[i].report, piece, cases[i].end.kind != FL_ERR_NONE ? &cases[i].end : NULL);

			assert_int_equal(err.kind, cases[i].kind);
			if (strstr(err.msg, cases[i].says) == NULL)
				fail_msg("%s, not %s", err.msg, cases[i].says);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_end_of_a_pull_has_its_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
