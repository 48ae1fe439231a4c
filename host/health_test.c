#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <event2/event.h>

#include "host/attach.h"
#include "host/fixture.h"
#include "host/health.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/http_client.h"
#include "libflynn/http_server.h"
#include "libflynn/job.h"
#include "libflynn/json.h"
#include "libflynn/loop_test.h"

static void
tries_are_quick_at_first_and_never_a_burden(void **state)
{
	int first_second = 0;

	(void)state;
	assert_int_equal(health_delay_ms(1), 50);
	for (int n = 1, sum = 0; sum < 1000; n++, first_second++)
		sum += health_delay_ms(n);
	assert_true(first_second >= 15);
	for (int n = 1; n < 100; n++)
		assert_true(health_delay_ms(n) <= health_delay_ms(n + 1));
	assert_int_equal(health_delay_ms(100), 1000);
}

static void
the_sentence_tells_what_was_asked_and_answered(void **state)
{
	static char up[] = "/up";
	static const struct {
		struct fl_job_port port;
		int status;
		const char *want;
	} cases[] = {
		{ { .check_path = up, .timeout_s = 30 }, 500, "GET /up answered 500 for 30 s" },
		{ { .timeout_s = 5 }, 404, "GET / answered 404 for 5 s" },
		{ { .check_path = up, .timeout_s = 30 }, 0, "GET /up had no answer for 30 s" },
		{ { .check_path = up, .check_status = 204, .timeout_s = 30 }, 200, "GET /up answered 200 for 30 s, and not 204" },
	};

	(void)state;
	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct fl_buf got = { 0 };

		health_explain(&cases[i].port, cases[i].status, &got);
		assert_string_equal(fl_buf_cstr(&got), cases[i].want);
		fl_buf_release(&got);
	}
}

static void
an_attach_request_is_read_strictly(void **state)
{
	static const struct {
		const char *text;
		int want;
	} cases[] = {
		{ "{\"job_id\":\"h1-x\",\"flags\":23,\"height\":24,\"width\":80}", 0 },
		{ "{\"job_id\":\"h1-x\",\"future\":true}", 0 },
		{ "{\"job_id\":\"h1-x\",\"timestamps\":true,\"tail\":0,\"since\":\"1416000000.000000001\"}", 0 },
		{ "{\"job_id\":\"h1-x\",\"since\":\"1&follow=1\"}", -1 },
		{ "{\"job_id\":\"h1-x\",\"tail\":-2}", -1 },
		{ "{\"flags\":23}", -1 },
		{ "{\"job_id\":7}", -1 },
		{ "{\"job_id\":\"h1-x\",\"flags\":64}", -1 },
		{ "{\"job_id\":\"h1-x\",\"flags\":\"3\"}", -1 },
		{ "{\"job_id\":\"h1-x\",\"height\":65536}", -1 },
		{ "[]", -1 },
	};

	(void)state;
	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct fl_json *v = fl_json_parse(cases[i].text, strlen(cases[i].text), NULL);
		struct attach_request request;

		assert_int_equal(attach_parse(v, &request, NULL), cases[i].want);
		if (cases[i].want == 0)
			assert_string_equal(request.job_id, "h1-x");
		fl_json_free(v);
	}
}

static void
answer_at_length(struct fl_http_req *req, FL_UNUSED void *arg)
{
	size_t len = 3u << 20;
	char *page = fl_xcalloc(1, len);

	fl_http_reply(req, 200, "text/html", page, len);
	free(page);
}

static bool checked, is_healthy;

static void
on_checked(FL_UNUSED struct job *j, const struct health_failure *failure)
{
	checked = true;
	is_healthy = failure == NULL;
}

static void
a_page_of_any_length_is_an_answer(void **state)
{
	static const struct fl_http_route routes[] = { { "GET", "/", answer_at_length, 0 } };
	struct fixture *f = *state;
	struct fl_http *app = fl_http_new(f->host.base, NULL);
	char *members = NULL;
	struct job *j;

	f->host.client = fl_http_client_new(f->host.base, NULL);
	assert_int_equal(fl_http_listen(app, "127.0.0.1:0", routes, fl_nitems(routes), NULL, NULL), 0);
	members = fl_xasprintf("\"config\":{\"ports\":[{\"port\":%d,\"service\":{\"name\":\"web\",\"check\":{\"type\":\"http\",\"timeout_s\":2}}}]}",
	    fl_http_port(app));
	j = fixture_job(f, 1, members);
	j->active->ports[0] = fl_http_port(app);
	j->active->internal_ip = fl_xstrdup("127.0.0.1");
	j->health = health_start(j, on_checked);
	assert_true(loop_until(f->host.base, loop_is_set, &checked));
	assert_true(is_healthy);
	fl_http_client_free(f->host.client);
	fl_http_free(app);
	free(members);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tries_are_quick_at_first_and_never_a_burden),
		cmocka_unit_test(the_sentence_tells_what_was_asked_and_answered),
		cmocka_unit_test(an_attach_request_is_read_strictly),
		cmocka_unit_test_setup_teardown(a_page_of_any_length_is_an_answer, fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
