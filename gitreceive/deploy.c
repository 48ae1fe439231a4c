#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "gitreceive/cluster.h"
#include "gitreceive/deploy.h"
#include "gitreceive/output.h"
#include "gitreceive/types.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/deploy.h"
#include "libflynn/err.h"
#include "libflynn/job.h"
#include "libflynn/json.h"
#include "libflynn/process.h"
#include "libflynn/xmalloc.h"

/* A deployment replaces jobs one by one, each of which may take a while, and may have to wait for another one. */
#define DEPLOY_S 3600
#define AWAY_S 300

static bool
is_web(const char *type)
{
	static const char suffix[] = "-web";
	size_t len = strlen(type);

	return strcmp(type, "web") == 0 || (len > strlen(suffix) && strcmp(type + len - strlen(suffix), suffix) == 0);
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
		fl_process_write_ports(w, app, type);
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
	char *id = answer != NULL ? fl_xstrdup(fl_json_text(answer, "id")) : NULL;

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

/* One deployment under way. */
struct deployment {
	const struct cluster *cluster;
	const char *app;
	const struct fl_json *last; /* release; JSON null */
	bool first;		    /* nobody has said yet how many shall run */
	bool has_web;
	bool has_release; /* phase, which has not begun */
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

static void
on_status(const char *status, const char *behind, void *arg)
{
	struct deployment *d = arg;

	if (strcmp(status, "pending") == 0 && *behind != '\0') {
		output_line("-----> Waiting for deployment %s to end...", behind);
	} else if (strcmp(status, "releasing") == 0) {
		output_line("-----> Running the release phase...");
		d->has_release = false;
	} else if (strcmp(status, "running") == 0 && !d->has_release) {
		output_line("-----> Waiting for its jobs to serve...");
	}
}

static void
on_away(const char *why, FL_UNUSED void *arg)
{
	output_line(" !     The controller does not answer (%s). Waiting for it...", why);
}

static void
on_output(const char *data, size_t len, FL_UNUSED void *arg)
{
	output_write(data, len);
}

/* Of an app of which nothing has run, one job serves the web from now on; of others, as many as do. */
static int
switch_over(struct deployment *d, struct fl_err *err)
{
	char *url = fl_xasprintf("http://%s", d->cluster->controller);
	struct fl_deploy deploy = {
		.controller = url, .key = d->cluster->controller_key, .app = d->app, .release = d->release,
		.base = fl_json_text(d->last, "id"), .timeout_s = DEPLOY_S,
		.away_s = AWAY_S, .on_status = on_status, .on_away = on_away, .on_output = on_output, .arg = d
	};
	int r;

	if (d->first && d->has_web) {
		deploy.processes = "{\"web\":1}";
		output_line("=====> Added default web=1 formation");
	}
	if ((r = fl_deploy_run(&deploy, err)) == -1 && err->kind == FL_ERR_CONFLICT)
		output_line(" !     The app was given another release meanwhile.");
	else if (r == -1 && !d->first)
		output_line(" !     The release before serves on.");
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

	d.has_web = has_type(types, "web");
	d.has_release = has_type(types, FL_JOB_TYPE_RELEASE);
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
