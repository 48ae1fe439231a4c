#include "cli/release.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "cli/cli.h"
#include "cli/client.h"
#include "cli/config.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/http_server.h"
#include "libflynn/json.h"
#include "libflynn/server_test.h"
#include "libflynn/xmalloc.h"

#define KEY "sesame"

/* A controller of one app in a process of its own, and a client that knows it. */
struct fixture {
	pid_t pid;
	struct cluster cluster;
	struct cli cli;
	char *env;	  /* of the app's release */
	char *meanwhile;  /* what somebody else makes of it during the next deployment, which is overtaken by that; NULL: nobody */
	char *posted;	  /* of the release that is deployed next */
	int releases;
};

static void
reply(struct fl_http_req *req, const char *json)
{
	struct fl_buf b = { 0 };

	fl_buf_addstr(&b, json);
	fl_http_reply_json(req, 200, &b);
	fl_buf_release(&b);
}

static void
get_release(struct fl_http_req *req, void *arg)
{
	const struct fixture *f = arg;
	char *json = fl_xasprintf("{\"id\":\"r%d\",\"artifact\":\"a\",\"env\":%s}", f->releases, f->env);

	reply(req, json);
	free(json);
}

static void
post_release(struct fl_http_req *req, void *arg)
{
	struct fixture *f = arg;
	struct fl_buf b = { 0 };
	struct fl_jsonw w = fl_jsonw(&b);

	fl_jsonw_value(&w, NULL, fl_json_get(fl_http_json(req, NULL), "env"));
	free(f->posted);
	f->posted = fl_buf_detach(&b);
	f->releases++;
	reply(req, "{\"id\":\"new\"}");
}

static void
post_deploy(struct fl_http_req *req, FL_UNUSED void *arg)
{
	reply(req, "{\"id\":\"d\"}");
}

static void
get_deployment(struct fl_http_req *req, void *arg)
{
	struct fixture *f = arg;
	bool overtaken = f->meanwhile != NULL;

	free(f->env);
	f->env = overtaken ? f->meanwhile : f->posted;
	*(overtaken ? &f->meanwhile : &f->posted) = NULL;
	fl_http_sse_start(req);
	fl_http_sse_send(req, NULL, NULL,
	    overtaken ? "{\"status\":\"failed\",\"overtaken\":true,\"finished_at\":\"2026-01-01T00:00:00Z\"}" : "{\"status\":\"complete\"}");
}

static void
start(struct fixture *f, const char *env, const char *meanwhile)
{
	static const struct fl_http_route routes[] = {
		{ "GET", "/apps/:app/release", get_release, 0 },
		{ "POST", "/apps/:app/deploy", post_deploy, 0 },
		{ "POST", "/releases", post_release, 0 },
		{ "GET", "/deployments/:id", get_deployment, 0 },
	};
	int port;

	*f = (struct fixture){ .env = fl_xstrdup(env), .meanwhile = fl_xstrdup_null(meanwhile) };
	f->pid = server_start(KEY, routes, fl_nitems(routes), f, &port);
	f->cluster = (struct cluster){ .name = (char *)"test", .key = (char *)KEY, .url = fl_xasprintf("http://127.0.0.1:%d", port) };
	f->cli.cluster = &f->cluster;
}

/* Whether the app's release, which is the number-th that was made, has env. */
static void
assert_has(struct fixture *f, const char *env, int number)
{
	struct fl_json *release = client_app_release(&f->cli, "app", NULL);
	struct fl_buf b = { 0 };
	struct fl_jsonw w = fl_jsonw(&b);
	char id[16];

	snprintf(id, sizeof(id), "r%d", number);
	fl_jsonw_value(&w, NULL, fl_json_get(release, "env"));
	assert_string_equal(fl_buf_cstr(&b), env);
	assert_string_equal(fl_json_text(release, "id"), id);
	fl_buf_release(&b);
	fl_json_free(release);
}

static void
end(struct fixture *f)
{
	server_stop(f->pid);
	free(f->cluster.url);
	free(f->env);
	free(f->meanwhile);
}

static void
removal_of_what_is_not_there_makes_no_release(FL_UNUSED void **state)
{
	static const struct release_change changes[] = { { .name = (char *)"B" }, { .name = (char *)"C" } };
	struct fl_err err = { .kind = FL_ERR_SYSTEM };
	struct fixture f;

	start(&f, "{\"A\":\"1\"}", NULL);
	assert_null(release_with_env(&f.cli, "app", NULL, changes, 1, &err));
	assert_int_equal(err.kind, FL_ERR_NONE);
	assert_string_equal(err.msg, "Nothing to do: app app has no variable B.");
	assert_null(release_with_env(&f.cli, "app", NULL, changes, 2, &err));
	assert_string_equal(err.msg, "Nothing to do: app app has none of these variables.");
	assert_int_equal(release_say(NULL, &err), 0);
	assert_has(&f, "{\"A\":\"1\"}", 0);
	end(&f);
}

static void
removal_that_somebody_else_made_meanwhile_is_none(FL_UNUSED void **state)
{
	static const struct release_change change = { .name = (char *)"A" };
	struct fl_err err = { 0 };
	struct fixture f;

	start(&f, "{\"A\":\"1\",\"B\":\"2\"}", "{\"B\":\"2\"}");
	assert_null(release_with_env(&f.cli, "app", NULL, &change, 1, &err));
	assert_int_equal(err.kind, FL_ERR_NONE);
	assert_has(&f, "{\"B\":\"2\"}", 1);
	end(&f);
}

static void
what_is_there_is_removed_and_what_is_given_is_set(FL_UNUSED void **state)
{
	static const struct release_change changes[] = {
		{ .name = (char *)"A" }, { .name = (char *)"Z" }, { .name = (char *)"C", .value = "3" }
	};
	struct fl_err err = { 0 };
	struct fixture f;
	char *id;

	start(&f, "{\"A\":\"1\",\"B\":\"2\"}", NULL);
	assert_non_null(id = release_with_env(&f.cli, "app", NULL, changes, fl_nitems(changes), &err));
	assert_has(&f, "{\"B\":\"2\",\"C\":\"3\"}", 1);
	free(id);
	end(&f);
}

static void
value_that_was_set_meanwhile_stays(FL_UNUSED void **state)
{
	static const struct release_change changes[] = {
		{ .name = (char *)"URL", .was = "theirs" }, { .name = (char *)"USER", .was = "theirs" }, { .name = (char *)"HOST", .was = "theirs" }
	};
	struct fl_err err = { 0 };
	struct fixture f;
	char *id;

	start(&f, "{\"URL\":\"theirs\",\"USER\":\"theirs\",\"HOST\":\"mine\"}", "{\"URL\":\"mine\",\"USER\":\"theirs\",\"HOST\":\"mine\"}");
	assert_non_null(id = release_with_env(&f.cli, "app", NULL, changes, fl_nitems(changes), &err));
	assert_int_equal(err.kind, FL_ERR_NONE); /* it was made: that it was overtaken first is no error */
	assert_has(&f, "{\"URL\":\"mine\",\"HOST\":\"mine\"}", 2);
	free(id);
	end(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(removal_of_what_is_not_there_makes_no_release),
		cmocka_unit_test(removal_that_somebody_else_made_meanwhile_is_none),
		cmocka_unit_test(what_is_there_is_removed_and_what_is_given_is_set),
		cmocka_unit_test(value_that_was_set_meanwhile_stays),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
