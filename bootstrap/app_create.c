#include <stdlib.h>
#include <string.h>

#include "bootstrap/app.h"
#include "bootstrap/bootstrap.h"
#include "bootstrap/service_call.h"
#include "bootstrap/step.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/http_client.h"
#include "libflynn/json.h"
#include "libflynn/map.h"
#include "libflynn/url.h"
#include "libflynn/uuid.h"
#include "libflynn/xmalloc.h"

/*
 * The calls that make an app, one after another: each stage sends one, and the next runs when its
 * answer is there. A stage returns false when it has nothing to send.
 */
struct creation {
	struct app *app;
	size_t stage;
	size_t resource; /* that the resource stages are at */
	void (*done)(struct step *s);
};

static void create_next(struct step *s);

static bool
answer_ok(struct step *s, const struct fl_http_result *res, const struct fl_err *err, const char *what)
{
	struct fl_err why;

	if (err != NULL)
		why = *err;
	else if (fl_http_result_check(res, "its answer", &why) == 0)
		return true;
	fl_err_wrap(&why, "%s", what);
	step_fail(s, &why);
	return false;
}

static void
on_created(struct step *s, const struct fl_http_result *res, const struct fl_err *err)
{
	struct creation *c = s->work;

	if (answer_ok(s, res, err, "record the app in the controller")) {
		c->stage++;
		create_next(s);
	}
}

static void
send_value(struct step *s, const char *method, const char *path, const struct fl_json *v, service_call_cb cb)
{
	struct fl_buf text = { 0 };
	struct fl_jsonw w = fl_jsonw(&text);

	fl_jsonw_value(&w, NULL, v);
	controller_call(s, method, path, text.data, cb);
	fl_buf_release(&text);
}

static bool
create_app(struct step *s, struct creation *c)
{
	send_value(s, "POST", "/apps", c->app->app, on_created);
	return true;
}

static void
on_artifact(struct step *s, const struct fl_http_result *res, const struct fl_err *err)
{
	struct creation *c = s->work;
	struct fl_json *answer;
	struct fl_err why;

	if (!answer_ok(s, res, err, "record the artifact in the controller"))
		return;
	answer = fl_json_parse(res->body, res->len, NULL);
	c->app->artifact_id = fl_xstrdup_null(fl_json_str(fl_json_get(answer, "id"), NULL));
	fl_json_free(answer);
	if (c->app->artifact_id == NULL) {
		fl_err_set(&why, FL_ERR_INVALID, "the controller recorded the artifact, but did not say its id");
		step_fail(s, &why);
		return;
	}
	c->stage++;
	create_next(s);
}

static bool
create_artifact(struct step *s, struct creation *c)
{
	send_value(s, "POST", "/artifacts", c->app->artifact, on_artifact);
	return true;
}

static void
on_provider(struct step *s, const struct fl_http_result *res, const struct fl_err *err)
{
	struct creation *c = s->work;

	/* Another step beside us may have been first. */
	if ((err != NULL || res->status != 409) && !answer_ok(s, res, err, "record the resource provider in the controller"))
		return;
	fl_map_set(s->bootstrap->providers, c->app->resources[c->resource].provider, s);
	create_next(s); /* the same resource again, its provider known now */
}

static void
on_resource(struct step *s, const struct fl_http_result *res, const struct fl_err *err)
{
	struct creation *c = s->work;

	if (answer_ok(s, res, err, "record the resource in the controller")) {
		c->resource++;
		create_next(s);
	}
}

static void
put_provider(struct step *s, const struct app_resource *r)
{
	struct fl_buf text = { 0 };
	struct fl_jsonw w = fl_jsonw(&text);

	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_str(&w, "name", r->provider);
	fl_jsonw_str(&w, "url", r->url);
	fl_jsonw_close(&w, '}');
	controller_call(s, "POST", "/providers", text.data, on_provider);
	fl_buf_release(&text);
}

static bool
create_resources(struct step *s, struct creation *c)
{
	const struct app_resource *r = &c->app->resources[c->resource];
	struct fl_buf text = { 0 };
	struct fl_jsonw w = fl_jsonw(&text);
	char id[FL_UUID_LEN + 1], *provider, *path;

	if (c->resource == c->app->n_resources)
		return false;
	if (fl_map_get(s->bootstrap->providers, r->provider) == NULL) {
		put_provider(s, r);
		return true;
	}
	fl_uuid_new(id);
	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_str(&w, "id", id);
	fl_jsonw_str(&w, "external_id", r->external_id);
	fl_jsonw_value(&w, "env", r->env);
	fl_jsonw_open(&w, "apps", '[');
	fl_jsonw_str(&w, NULL, c->app->id);
	fl_jsonw_close(&w, ']');
	fl_jsonw_close(&w, '}');
	provider = fl_url_encode(r->provider);
	path = fl_xasprintf("/providers/%s/resources/%s", provider, id);
	controller_call(s, "PUT", path, text.data, on_resource);
	free(provider);
	free(path);
	fl_buf_release(&text);
	return true;
}

static bool
create_release(struct step *s, struct creation *c)
{
	const struct fl_json *release = c->app->release;
	struct fl_buf text = { 0 };
	struct fl_jsonw w = fl_jsonw(&text);

	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_value(&w, "id", fl_json_get(release, "id"));
	fl_jsonw_str(&w, "artifact", c->app->artifact_id);
	fl_jsonw_value(&w, "env", fl_json_get(release, "env"));
	fl_jsonw_value(&w, "processes", fl_json_get(release, "processes"));
	fl_jsonw_close(&w, '}');
	controller_call(s, "POST", "/releases", text.data, on_created);
	fl_buf_release(&text);
	return true;
}

static bool
set_release(struct step *s, struct creation *c)
{
	char *path = fl_xasprintf("/apps/%s/release", c->app->id);
	char *body = fl_xasprintf("{\"id\":\"%s\"}", fl_json_text(c->app->release, "id"));

	controller_call(s, "PUT", path, body, on_created);
	free(path);
	free(body);
	return true;
}

static bool
put_formation(struct step *s, struct creation *c)
{
	char *path = fl_xasprintf("/apps/%s/formations/%s", c->app->id, fl_json_text(c->app->release, "id"));
	struct fl_buf text = { 0 };
	struct fl_jsonw w = fl_jsonw(&text);

	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_value(&w, "processes", c->app->processes);
	fl_jsonw_close(&w, '}');
	controller_call(s, "PUT", path, text.data, on_created);
	free(path);
	fl_buf_release(&text);
	return true;
}

static bool (*const stages[])(struct step *s, struct creation *c) = {
	create_app, create_artifact, create_resources, create_release, set_release, put_formation
};

static void
create_next(struct step *s)
{
	struct creation *c = s->work;
	void (*done)(struct step *) = c->done;

	for (; c->stage < fl_nitems(stages); c->stage++)
		if (stages[c->stage](s, c))
			return;
	free(c);
	s->work = NULL;
	s->work_free = NULL;
	done(s);
}

void
app_create(struct step *s, struct app *a, void (*done)(struct step *s))
{
	struct creation *c = fl_xcalloc(1, sizeof(*c));

	c->app = a;
	c->done = done;
	s->work = c;
	s->work_free = free;
	s->waiting_for = "the controller";
	create_next(s);
}
