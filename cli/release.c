#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "client.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/json.h"
#include "libflynn/xmalloc.h"
#include "release.h"

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

char *
release_set(struct cli *cli, const char *app, const char *release_json, struct fl_err *err)
{
	struct fl_buf body = { 0 };
	struct fl_json *release, *set = NULL;
	char *id = NULL;

	fl_buf_addstr(&body, release_json);
	if ((release = client_call(cli, "POST", "/releases", &body, "the release", err)) != NULL) {
		id = fl_xstrdup(fl_json_str(fl_json_get(release, "id"), ""));
		fl_buf_clear(&body);
		fl_buf_addf(&body, "{\"id\":\"%s\"}", id);
		set = client_app_call(cli, "PUT", app, "/release", &body, "the release", err);
	}
	if (set == NULL) {
		free(id);
		id = NULL;
	}
	fl_json_free(release);
	fl_json_free(set);
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
