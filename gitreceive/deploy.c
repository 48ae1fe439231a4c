#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cluster.h"
#include "deploy.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/json.h"
#include "libflynn/rollout.h"
#include "libflynn/xmalloc.h"
#include "output.h"
#include "types.h"

#define WAIT_S 120

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
	char *release;		    /* the new one's id */
	struct fl_rollout_goal *goals;
	size_t n_goals;
};

static void
add_goal(struct deployment *d, char *type, int64_t count)
{
	if (count > 0)
		d->goals[d->n_goals++] = (struct fl_rollout_goal){ type, (int)count };
}

/* As many as run now; of types that the new release does not have any more, none. */
static int
set_goals(struct deployment *d, const struct types *types, struct fl_err *err)
{
	const char *last_id = fl_json_str(fl_json_get(d->last, "id"), NULL);
	char *path = fl_xasprintf("/apps/%s/formations/%s", d->app, last_id != NULL ? last_id : "");
	struct fl_json *formation = NULL;
	struct fl_err why = { 0 };

	d->goals = fl_xcalloc(types->n + 1, sizeof(*d->goals));
	if (last_id != NULL)
		formation = cluster_call(d->cluster, "GET", path, NULL, &why);
	free(path);
	if (formation == NULL && why.kind != FL_ERR_NONE && why.kind != FL_ERR_NOT_FOUND) {
		*err = why;
		return -1;
	}
	d->first = formation == NULL;
	for (size_t i = 0; i < types->n; i++) {
		const struct fl_json *count = fl_json_get(fl_json_get(formation, "processes"), types->names[i]);

		add_goal(d, types->names[i], d->first ? strcmp(types->names[i], "web") == 0 : fl_json_int(count, 0));
	}
	fl_json_free(formation);
	return 0;
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

/* Setting the release moves the formation to it. */
static char *
change(void *arg, struct fl_err *err)
{
	const struct deployment *d = arg;

	if (set_release(d, d->release, err) == -1 ||
	    (d->first && d->n_goals > 0 && set_formation(d, "PUT", "{\"processes\":{\"web\":1}}", err) == -1))
		return NULL;
	if (d->first && d->n_goals > 0)
		output_line("=====> Added default web=1 formation");
	if (d->n_goals > 0)
		output_line("-----> Waiting for its jobs to serve...");
	return fl_xstrdup(d->release);
}

/* What came up of the new release goes, what ran before stays. */
static void
roll_back(const struct deployment *d)
{
	const char *last_id = fl_json_str(fl_json_get(d->last, "id"), NULL);
	struct fl_err err;
	int r = 0;

	if (d->first && d->n_goals > 0)
		r = set_formation(d, "DELETE", NULL, &err);
	if (last_id != NULL && r == 0)
		r = set_release(d, last_id, &err);
	if (r == -1)
		output_line(" !     The release before could not be set again: %s", err.msg);
	else if (!d->first)
		output_line(" !     The release before serves on.");
}

static int
switch_over(struct deployment *d, struct fl_err *err)
{
	char *url = fl_xasprintf("http://%s", d->cluster->controller), *release;
	struct fl_rollout rollout = {
		.controller = url, .key = d->cluster->controller_key, .app = d->app, .goals = d->goals, .n_goals = d->n_goals,
		.timeout_s = WAIT_S, .change = change, .arg = d
	};
	int r = 0;

	if (d->n_goals > 0) {
		r = fl_rollout_run(&rollout, err);
	} else if ((release = change(d, err)) != NULL) {
		free(release);
	} else {
		r = -1;
	}
	if (r == -1)
		roll_back(d);
	free(url);
	return r;
}

int
deploy_run(const struct cluster *c, const char *app, const struct fl_json *last, const char *slug_url,
    const struct types *types, struct fl_err *err)
{
	struct deployment d = { .cluster = c, .app = app, .last = last };
	struct fl_buf text = { 0 };
	char *artifact = NULL;
	int r = -1;

	output_line("-----> Creating release...");
	if ((artifact = create_artifact(c, err)) == NULL)
		goto out;
	write_release(&text, app, artifact, last, slug_url, types);
	if ((d.release = create(c, "/releases", text.data, err)) == NULL || set_goals(&d, types, err) == -1)
		goto out;
	if (switch_over(&d, err) == -1)
		goto out;
	output_line("=====> Application deployed");
	r = 0;
out:
	if (r == -1)
		fl_err_wrap(err, "The build went well, but not its deployment");
	fl_buf_release(&text);
	free(d.goals);
	free(d.release);
	free(artifact);
	return r;
}
