#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cluster.h"
#include "deploy.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/deploy.h"
#include "libflynn/err.h"
#include "libflynn/json.h"
#include "libflynn/rollout.h"
#include "libflynn/xmalloc.h"
#include "output.h"
#include "types.h"

#define WAIT_S 120
/* A deployment replaces jobs one by one, each of which may take a while, and may have to wait for another one. */
#define REPLACE_S 3600

static bool
is_web(const char *type)
{
	static const char suffix[] = "-web";
	size_t len = strlen(type);

	return strcmp(type, "web") == 0 || (len > strlen(suffix) && strcmp(type + len - strlen(suffix), suffix) == 0);
}

/* Web types listen on a port and are found as <app>-<type>. */
static void
write_ports(struct fl_jsonw *w, const char *app, const char *type)
{
	char *service = fl_xasprintf("%s-%s", app, type);

	fl_jsonw_open(w, "ports", '[');
	fl_jsonw_open(w, NULL, '{');
	fl_jsonw_int(w, "port", 0);
	fl_jsonw_str(w, "proto", "tcp");
	fl_jsonw_open(w, "service", '{');
	fl_jsonw_str(w, "name", service);
	fl_jsonw_close(w, '}');
	fl_jsonw_close(w, '}');
	fl_jsonw_close(w, ']');
	free(service);
}

static bool
has_type(const struct types *types, const char *name)
{
	for (size_t i = 0; i < types->n; i++)
		if (strcmp(types->names[i], name) == 0)
			return true;
	return false;
}

/* What the last release said of the type stays, but for its command. */
static void
write_type(struct fl_jsonw *w, const char *app, const char *type, const struct fl_json *last)
{
	bool has_ports = false;

	fl_jsonw_open(w, type, '{');
	for (size_t i = 0; i < fl_json_len(last); i++) {
		const char *key = fl_json_key_at(last, i);

		if (strcmp(key, "cmd") == 0)
			continue;
		has_ports = has_ports || strcmp(key, "ports") == 0;
		fl_jsonw_value(w, key, fl_json_at(last, i));
	}
	fl_jsonw_open(w, "cmd", '[');
	fl_jsonw_str(w, NULL, "start");
	fl_jsonw_str(w, NULL, type);
	fl_jsonw_close(w, ']');
	if (is_web(type) && !has_ports)
		write_ports(w, app, type);
	fl_jsonw_close(w, '}');
}

static void
write_release(struct fl_buf *b, const char *app, const char *artifact, const struct fl_json *last, const char *slug_url,
    const struct types *types)
{
	const struct fl_json *env = fl_json_get(last, "env"), *processes = fl_json_get(last, "processes");
	struct fl_jsonw w = fl_jsonw(b);

	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_str(&w, "artifact", artifact);
	fl_jsonw_open(&w, "env", '{');
	for (size_t i = 0; i < fl_json_len(env); i++)
		if (strcmp(fl_json_key_at(env, i), "SLUG_URL") != 0)
			fl_jsonw_value(&w, fl_json_key_at(env, i), fl_json_at(env, i));
	fl_jsonw_str(&w, "SLUG_URL", slug_url);
	fl_jsonw_close(&w, '}');
	fl_jsonw_open(&w, "processes", '{');
	for (size_t i = 0; i < types->n; i++)
		write_type(&w, app, types->names[i], fl_json_get(processes, types->names[i]));
	fl_jsonw_close(&w, '}');
	fl_jsonw_close(&w, '}');
}

/* POST body to path and return the answer's id (caller frees), or NULL. */
static char *
create(const struct cluster *c, const char *path, const char *body, struct fl_err *err)
{
	struct fl_json *answer = cluster_call(c, "POST", path, body, err);
	char *id = answer != NULL ? fl_xstrdup(fl_json_str(fl_json_get(answer, "id"), "")) : NULL;

	fl_json_free(answer);
	return id;
}

static char *
create_artifact(const struct cluster *c, struct fl_err *err)
{
	struct fl_buf body = { 0 };
	struct fl_jsonw w = fl_jsonw(&body);
	char *id;

	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_str(&w, "type", "docker");
	fl_jsonw_str(&w, "uri", c->runner_uri);
	fl_jsonw_close(&w, '}');
	id = create(c, "/artifacts", body.data, err);
	fl_buf_release(&body);
	return id;
}

static int
put(const struct cluster *c, const char *path, const char *body, struct fl_err *err)
{
	struct fl_json *answer = cluster_call(c, "PUT", path, body, err);
	int r = answer != NULL ? 0 : -1;

	fl_json_free(answer);
	return r;
}

/* One deployment under way. */
struct deployment {
	const struct cluster *cluster;
	const char *app;
	const struct fl_json *last; /* release; JSON null */
	bool first;		    /* nobody has said yet how many shall run */
	bool has_web;
	char *release; /* the new one's id */
};

static int
find_out_if_first(struct deployment *d, struct fl_err *err)
{
	const char *last_id = fl_json_str(fl_json_get(d->last, "id"), NULL);
	char *path = fl_xasprintf("/apps/%s/formations/%s", d->app, last_id != NULL ? last_id : "");
	struct fl_json *formation = NULL;
	struct fl_err why = { 0 };

	if (last_id != NULL)
		formation = cluster_call(d->cluster, "GET", path, NULL, &why);
	free(path);
	d->first = formation == NULL;
	fl_json_free(formation);
	if (why.kind == FL_ERR_NONE || why.kind == FL_ERR_NOT_FOUND)
		return 0;
	*err = why;
	return -1;
}

static int
set_release(const struct deployment *d, const char *release, struct fl_err *err)
{
	char *path = fl_xasprintf("/apps/%s/release", d->app), *body = fl_xasprintf("{\"id\":\"%s\"}", release);
	int r = put(d->cluster, path, body, err);

	free(path);
	free(body);
	return r;
}

static int
set_formation(const struct deployment *d, const char *method, const char *body, struct fl_err *err)
{
	char *path = fl_xasprintf("/apps/%s/formations/%s", d->app, d->release);
	struct fl_json *answer = cluster_call(d->cluster, method, path, body, err);
	int r = answer != NULL ? 0 : -1;

	fl_json_free(answer);
	free(path);
	return r;
}

static char *
change(void *arg, struct fl_err *err)
{
	const struct deployment *d = arg;

	if (set_release(d, d->release, err) == -1 ||
	    (d->has_web && set_formation(d, "PUT", "{\"processes\":{\"web\":1}}", err) == -1))
		return NULL;
	if (d->has_web) {
		output_line("=====> Added default web=1 formation");
		output_line("-----> Waiting for its jobs to serve...");
	}
	return fl_xstrdup(d->release);
}

static void
roll_back(const struct deployment *d)
{
	const char *last_id = fl_json_str(fl_json_get(d->last, "id"), NULL);
	struct fl_err err;
	int r = set_formation(d, "DELETE", NULL, &err);

	if (last_id != NULL && r == 0)
		r = set_release(d, last_id, &err);
	if (r == -1)
		output_line(" !     The release could not be taken back: %s", err.msg);
}

/* A first release has nothing to replace: it is set, scaled, and taken back when its jobs do not come up. */
static int
set_first(struct deployment *d, const char *url, struct fl_err *err)
{
	char web[] = "web";
	const struct fl_rollout_goal goal = { web, 1 };
	struct fl_rollout rollout = {
		.controller = url, .key = d->cluster->controller_key, .app = d->app, .goals = &goal, .n_goals = 1, .timeout_s = WAIT_S,
		.change = change, .arg = d
	};
	char *release;

	if (!d->has_web) {
		release = change(d, err);
		free(release);
		return release != NULL ? 0 : -1;
	}
	if (fl_rollout_run(&rollout, err) == 0)
		return 0;
	roll_back(d);
	return -1;
}

static void
on_status(const char *status, const char *behind, FL_UNUSED void *arg)
{
	if (strcmp(status, "pending") == 0 && *behind != '\0')
		output_line("-----> Waiting for deployment %s to end...", behind);
	else if (strcmp(status, "running") == 0)
		output_line("-----> Waiting for its jobs to serve...");
}

static int
replace(const struct deployment *d, const char *url, struct fl_err *err)
{
	struct fl_deploy deploy = {
		.controller = url, .key = d->cluster->controller_key, .app = d->app, .release = d->release, .timeout_s = REPLACE_S,
		.on_status = on_status
	};

	if (fl_deploy_run(&deploy, err) == 0)
		return 0;
	output_line(" !     The release before serves on.");
	return -1;
}

static int
switch_over(struct deployment *d, struct fl_err *err)
{
	char *url = fl_xasprintf("http://%s", d->cluster->controller);
	int r = d->first ? set_first(d, url, err) : replace(d, url, err);

	free(url);
	return r;
}

int
deploy_run(const struct cluster *c, const char *app, const struct fl_json *last, const char *slug_url,
    const struct types *types, struct fl_err *err)
{
	struct deployment d = { .cluster = c, .app = app, .last = last, .has_web = has_type(types, "web") };
	struct fl_buf text = { 0 };
	char *artifact = NULL;
	int r = -1;

	output_line("-----> Creating release...");
	if ((artifact = create_artifact(c, err)) == NULL)
		goto out;
	write_release(&text, app, artifact, last, slug_url, types);
	if ((d.release = create(c, "/releases", text.data, err)) == NULL || find_out_if_first(&d, err) == -1)
		goto out;
	if (switch_over(&d, err) == -1)
		goto out;
	output_line("=====> Application deployed");
	r = 0;
out:
	if (r == -1)
		fl_err_wrap(err, "The build went well, but not its deployment");
	fl_buf_release(&text);
	free(d.release);
	free(artifact);
	return r;
}
