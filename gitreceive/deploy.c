#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cluster.h"
#include "deploy.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/json.h"
#include "libflynn/xmalloc.h"
#include "output.h"
#include "types.h"

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

static bool
has_web(const struct types *types)
{
	for (size_t i = 0; i < types->n; i++)
		if (strcmp(types->names[i], "web") == 0)
			return true;
	return false;
}

int
deploy_run(const struct cluster *c, const char *app, const struct fl_json *last, const char *slug_url,
    const struct types *types, struct fl_err *err)
{
	char *artifact = NULL, *release = NULL, *path = NULL, *body = NULL, *formation = NULL;
	bool first = fl_json_is_null(fl_json_get(last, "processes")); /* a release of `env set` alone has none */
	struct fl_buf text = { 0 };
	int r = -1;

	output_line("-----> Creating release...");
	if ((artifact = create_artifact(c, err)) == NULL)
		goto out;
	write_release(&text, app, artifact, last, slug_url, types);
	if ((release = create(c, "/releases", text.data, err)) == NULL)
		goto out;
	path = fl_xasprintf("/apps/%s/release", app);
	body = fl_xasprintf("{\"id\":\"%s\"}", release);
	if (put(c, path, body, err) == -1)
		goto out;
	formation = fl_xasprintf("/apps/%s/formations/%s", app, release);
	if (first && has_web(types) && put(c, formation, "{\"processes\":{\"web\":1}}", err) == -1)
		goto out;
	if (first && has_web(types))
		output_line("=====> Added default web=1 formation");
	output_line("=====> Application deployed");
	r = 0;
out:
	if (r == -1)
		fl_err_wrap(err, "The build went well, but its release could not be made");
	fl_buf_release(&text);
	free(artifact);
	free(release);
	free(path);
	free(body);
	free(formation);
	return r;
}
