#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <event2/event.h>

#include "host/engine.h"
#include "host/fixture.h"
#include "host/volume.h"
#include "libflynn/attr.h"
#include "libflynn/http_client.h"
#include "libflynn/http_server.h"
#include "libflynn/loop_test.h"

static int status; /* of the answer; 0: none yet */

static void
ask_for_it(struct fl_http_req *req, void *arg)
{
	struct fixture *f = arg;

	volume_reply_delete(&f->host, req, "data");
}

static void
on_answer(const struct fl_http_result *res, FL_UNUSED const struct fl_err *err, FL_UNUSED void *arg)
{
	status = res != NULL ? res->status : -1;
}

static bool
is_answered(FL_UNUSED void *arg)
{
	return status != 0;
}

/* Else the volume that it has could never be removed. */
static void
a_container_that_could_not_be_removed_is_still_there(void **state)
{
	static const struct fl_http_route routes[] = { { "GET", "/", ask_for_it, 0 } };
	static const struct engine_ops ops = { 0 };
	struct fixture *f = *state;
	struct host *h = &f->host;
	struct fl_http *api = fl_http_new(h->base, NULL);
	struct fl_http_client *client = fl_http_client_new(h->base, NULL);
	struct job *j = fixture_job(f, 1, "\"config\":{\"volumes\":[{\"name\":\"data\",\"target\":\"/data\"}]}");
	struct fl_http_call_opts opts = { 0 };
	char *url;

	assert_int_equal(fl_http_listen(api, "127.0.0.1:0", routes, fl_nitems(routes), f, NULL), 0);
	h->engine = engine_new(h->base, "/nonexistent/docker.sock", &ops, h);
	j->active->container_id = fl_xstrdup("c1");
	job_enter(j, JOB_ENDED);
	opts.url = url = fl_xasprintf("http://127.0.0.1:%d/", fl_http_port(api));
	fl_http_client_start(client, &opts, on_answer, NULL);
	assert_true(loop_until(h->base, is_answered, NULL));
	assert_int_equal(status, 503);
	assert_false(j->container_removed);
	fl_http_client_free(client);
	fl_http_free(api);
	engine_free(h->engine);
	free(url);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_container_that_could_not_be_removed_is_still_there, fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
