#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "client.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/deploy.h"
#include "libflynn/err.h"
#include "libflynn/http_client.h"
#include "libflynn/json.h"
#include "libflynn/xmalloc.h"
#include "release.h"

/* A deployment replaces jobs one by one, and may have to wait for another one. */
#define DEPLOY_S 3600

char *
release_artifact(struct cli *cli, const char *type, const char *uri, struct fl_err *err)
{
	struct fl_buf body = { 0 };
	struct fl_jsonw w = fl_jsonw(&body);
	struct fl_json *artifact;
	char *id = NULL;

	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_str_oe(&w, "type", type);
	fl_jsonw_str_oe(&w, "uri", uri);
	fl_jsonw_close(&w, '}');
	if ((artifact = client_call(cli, "POST", "/artifacts", &body, "the artifact", err)) != NULL)
		id = fl_xstrdup(fl_json_str(fl_json_get(artifact, "id"), ""));
	fl_json_free(artifact);
	fl_buf_release(&body);
	return id;
}

static void
on_status(const char *status, const char *behind, FL_UNUSED void *arg)
{
	if (strcmp(status, "pending") == 0 && *behind != '\0')
		fprintf(stderr, "Waiting for deployment %s to end...\n", behind);
}

int
release_deploy(struct cli *cli, const char *app, const char *id, struct fl_err *err)
{
	struct fl_http_call_opts where = { 0 };
	struct fl_deploy deploy = { .app = app, .release = id, .timeout_s = DEPLOY_S, .on_status = on_status };
	int r;

	client_opts(cli, "", &where);
	deploy.controller = where.url;
	deploy.key = where.key;
	deploy.pin = where.pin;
	if ((r = fl_deploy_run(&deploy, err)) == -1)
		fl_err_wrap(err, "release %s is not deployed", id);
	free((char *)where.url);
	return r;
}

char *
release_set(struct cli *cli, const char *app, const char *release_json, struct fl_err *err)
{
	struct fl_buf body = { 0 };
	struct fl_json *release;
	char *id = NULL;

	fl_buf_addstr(&body, release_json);
	if ((release = client_call(cli, "POST", "/releases", &body, "the release", err)) != NULL)
		id = fl_xstrdup(fl_json_str(fl_json_get(release, "id"), ""));
	if (id != NULL && release_deploy(cli, app, id, err) == -1) {
		free(id);
		id = NULL;
	}
	fl_json_free(release);
	fl_buf_release(&body);
	return id;
}

static const struct release_change *
change_of(const struct release_change *changes, size_t n, const char *name)
{
	for (size_t i = n; i > 0; i--) /* the last one given wins */
		if (strcmp(changes[i - 1].name, name) == 0)
			return &changes[i - 1];
	return NULL;
}

static void
write_env(struct fl_jsonw *w, const struct fl_json *env, const struct release_change *changes, size_t n)
{
	fl_jsonw_open(w, "env", '{');
	for (size_t i = 0; i < fl_json_len(env); i++)
		if (change_of(changes, n, fl_json_key_at(env, i)) == NULL)
			fl_jsonw_value(w, fl_json_key_at(env, i), fl_json_at(env, i));
	for (size_t i = 0; i < n; i++)
		if (changes[i].value != NULL && change_of(changes, n, changes[i].name) == &changes[i])
			fl_jsonw_str(w, changes[i].name, changes[i].value);
	fl_jsonw_close(w, '}');
}

static void
write_processes(struct fl_jsonw *w, const struct fl_json *processes, const char *type, const struct release_change *changes, size_t n)
{
	fl_jsonw_open(w, "processes", '{');
	for (size_t i = 0; i < fl_json_len(processes); i++) {
		const struct fl_json *p = fl_json_at(processes, i);

		if (type == NULL || strcmp(fl_json_key_at(processes, i), type) != 0) {
			fl_jsonw_value(w, fl_json_key_at(processes, i), p);
			continue;
		}
		fl_jsonw_open(w, type, '{');
		for (size_t k = 0; k < fl_json_len(p); k++)
			if (strcmp(fl_json_key_at(p, k), "env") != 0)
				fl_jsonw_value(w, fl_json_key_at(p, k), fl_json_at(p, k));
		write_env(w, fl_json_get(p, "env"), changes, n);
		fl_jsonw_close(w, '}');
	}
	fl_jsonw_close(w, '}');
}

char *
release_with_env(struct cli *cli, const char *app, const char *type, const struct release_change *changes,
    size_t n_changes, struct fl_err *err)
{
	struct fl_json *last = client_app_release(cli, app, err);
	const struct fl_json *processes = fl_json_get(last, "processes");
	struct fl_buf text = { 0 };
	struct fl_jsonw w = fl_jsonw(&text);
	char *artifact = NULL, *id = NULL;

	if (last == NULL)
		goto out;
	if (type != NULL && fl_json_is_null(fl_json_get(processes, type))) {
		fl_err_set(err, FL_ERR_NOT_FOUND, "app %s has no process type \"%s\"", app, type);
		goto out;
	}
	artifact = fl_xstrdup_null(fl_json_str(fl_json_get(last, "artifact"), NULL));
	if (artifact == NULL && (artifact = release_artifact(cli, NULL, NULL, err)) == NULL)
		goto out;
	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_str(&w, "artifact", artifact);
	if (type == NULL)
		write_env(&w, fl_json_get(last, "env"), changes, n_changes);
	else
		fl_jsonw_value(&w, "env", fl_json_get(last, "env"));
	write_processes(&w, processes, type, changes, n_changes);
	fl_jsonw_close(&w, '}');
	id = release_set(cli, app, text.data, err);
out:
	fl_buf_release(&text);
	fl_json_free(last);
	free(artifact);
	return id;
}
