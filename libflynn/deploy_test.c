#include "libflynn/deploy.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "libflynn/err.h"
#include "libflynn/http_server.h"
#include "libflynn/loop_test.h"
#include "libflynn/server_test.h"
#include "libflynn/xmalloc.h"

#define KEY "sesame"

/* A controller in a process of its own, for fl_deploy_run() waits. */
struct controller {
	pid_t pid;
	char *url;
	const char *told; /* of the deployment; NULL: nothing, and then it dies */
};

static void
post_deploy(struct fl_http_req *req, FL_UNUSED void *arg)
{
	struct fl_buf b = { 0 };

	fl_buf_addstr(&b, "{\"id\":\"d1\",\"status\":\"pending\"}");
	fl_http_reply_json(req, 200, &b);
	fl_buf_release(&b);
}

static void
get_deployment(struct fl_http_req *req, void *arg)
{
	const struct controller *c = arg;

	if (c->told == NULL)
		_exit(0);
	fl_http_sse_start(req);
	fl_http_sse_send(req, NULL, NULL, c->told);
}

static void
controller_start(struct controller *c, const char *told)
{
	static const struct fl_http_route routes[] = {
		{ "POST", "/apps/:app/deploy", post_deploy, 0 },
		{ "GET", "/deployments/:id", get_deployment, 0 },
	};
	int port;

	c->told = told;
	c->pid = server_start(KEY, routes, fl_nitems(routes), c, &port);
	c->url = fl_xasprintf("http://127.0.0.1:%d", port);
}

static void
controller_stop(struct controller *c)
{
	server_stop(c->pid);
	free(c->url);
}

static int
run(const char *told, struct fl_err *err)
{
	struct controller c;
	struct fl_deploy deploy = { .key = KEY, .app = "a", .release = "r", .timeout_s = 60, .away_s = 1 };
	int r;

	controller_start(&c, told);
	deploy.controller = c.url;
	r = fl_deploy_run(&deploy, err);
	controller_stop(&c);
	return r;
}

static void
its_end_is_told(FL_UNUSED void **state)
{
	struct fl_err err = { 0 };

	assert_int_equal(run("{\"id\":\"d1\",\"status\":\"complete\"}", &err), 0);
	assert_int_equal(run("{\"id\":\"d1\",\"status\":\"failed\",\"finished_at\":\"2026-01-01T00:00:00Z\",\"error\":\"web crashed\"}", &err), -1);
	assert_string_equal(err.msg, "web crashed");
	assert_int_equal(err.kind, FL_ERR_UNAVAILABLE);
}

static void
one_that_was_overtaken_is_a_conflict(FL_UNUSED void **state)
{
	struct fl_err err = { 0 };

	assert_int_equal(run("{\"id\":\"d1\",\"status\":\"failed\",\"overtaken\":true,\"finished_at\":\"2026-01-01T00:00:00Z\"}", &err), -1);
	assert_int_equal(err.kind, FL_ERR_CONFLICT);
}

static void
controller_that_stays_away_is_given_up(FL_UNUSED void **state)
{
	struct fl_err err = { 0 };
	int64_t start_ms = fl_clock_ms();

	assert_int_equal(run(NULL, &err), -1);
	assert_int_equal(err.kind, FL_ERR_TIMEOUT);
	assert_non_null(strstr(err.msg, "flynn deployment show d1"));
	assert_true(fl_clock_ms() - start_ms < LOOP_LIMIT_MS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(its_end_is_told),
		cmocka_unit_test(one_that_was_overtaken_is_a_conflict),
		cmocka_unit_test(controller_that_stays_away_is_given_up),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
