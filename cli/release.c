#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/client.h"
#include "cli/release.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/deploy.h"
#include "libflynn/err.h"
#include "libflynn/http_client.h"
#include "libflynn/json.h"
#include "libflynn/xmalloc.h"

/* A deployment replaces jobs one by one, and may have to wait for another one. */
#define DEPLOY_S 3600
#define AWAY_S 300

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
		id = fl_xstrdup(fl_json_text(artifact, "id"));
	fl_json_free(artifact);
	fl_buf_release(&body);
	return id;
}

static void
on_status(const char *status, const char *behind, FL_UNUSED void *arg)
{
	if (strcmp(status, "pending") == 0 && *behind != '\0')
		fprintf(stderr, "Waiting for deployment %s to end...\n", behind);
	else if (strcmp(status, "releasing") == 0)
		fprintf(stderr, "Running the release phase...\n");
}

static void
on_away(const char *why, FL_UNUSED void *arg)
{
	fprintf(stderr, "The cluster does not answer (%s). Waiting for it...\n", why);
}

static void
on_output(const char *data, size_t len, FL_UNUSED void *arg)
{
	fwrite(data, 1, len, stderr);
}

int
release_deploy(struct cli *cli, const char *app, const char *id, const char *base, struct fl_err *err)
{
	struct fl_http_call_opts where = { 0 };
	struct fl_deploy deploy = {
		.app = app, .release = id, .base = base, .timeout_s = DEPLOY_S, .away_s = AWAY_S,
		.on_status = on_status, .on_away = on_away, .on_output = on_output
	};
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
release_set(struct cli *cli, const char *app, const char *release_json, const char *base, struct fl_err *err)
{
	struct fl_buf body = { 0 };
	struct fl_json *release;
	char *id = NULL;

	fl_buf_addstr(&body, release_json);
	if ((release = client_call(cli, "POST", "/releases", &body, "the release", err)) != NULL)
		id = fl_xstrdup(fl_json_text(release, "id"));
	if (id != NULL && release_deploy(cli, app, id, base, err) == -1) {
		free(id);
		id = NULL;
	}
	fl_json_free(release);
	fl_buf_release(&body);
	return id;
}

bool
release_goes_again(const struct fl_err *err, int *tries)
{
	if (err->kind != FL_ERR_CONFLICT || ++*tries == FL_DEPLOY_TRIES_MAX)
		return false;
	fprintf(stderr, "The app was given another release meanwhile. Making the change to that one...\n");
	return true;
}

static const struct release_change *
change_of(const struct release_change *changes, size_t n, const char *name)
{
	for (size_t i = n; i > 0; i--) /* the last one given wins */
		if (strcmp(changes[i - 1].name, name) == 0)
			return &changes[i - 1];
	return NULL;
}

/* Whether the variable, if there is one, is to have another value or none. */
static bool
replaces(const struct release_change *c, const struct fl_json *env)
{
	return c->value != NULL || c->was == NULL || strcmp(fl_json_str(fl_json_get(env, c->name), ""), c->was) == 0;
}

static void
write_env(struct fl_jsonw *w, const struct fl_json *env, const struct release_change *changes, size_t n)
{
	fl_jsonw_open(w, "env", '{');
	for (size_t i = 0; i < fl_json_len(env); i++) {
		const struct release_change *c = change_of(changes, n, fl_json_key_at(env, i));

		if (c == NULL || !replaces(c, env))
			fl_jsonw_value(w, fl_json_key_at(env, i), fl_json_at(env, i));
	}
	for (size_t i = 0; i < n; i++)
		if (changes[i].value != NULL && change_of(changes, n, changes[i].name) == &changes[i])
			fl_jsonw_str(w, changes[i].name, changes[i].value);
	fl_jsonw_close(w, '}');
}

/* What makes a new release of the last one. */
struct edit {
	const char *type;		      /* the process type that is changed; NULL: the release itself */
	const struct release_change *changes; /* of its environment */
	size_t n_changes;
	release_member member;	 /* of the type that is another then; NULL: none */
	const void *arg;
	const char *key; /* what member says of the release under way */
	struct fl_buf value;
};

static void
write_type(struct fl_jsonw *w, const struct fl_json *type, const struct edit *e)
{
	fl_jsonw_open(w, e->type, '{');
	for (size_t i = 0; i < fl_json_len(type); i++) {
		const char *key = fl_json_key_at(type, i);

		if ((e->n_changes == 0 || strcmp(key, "env") != 0) && (e->key == NULL || strcmp(key, e->key) != 0))
			fl_jsonw_value(w, key, fl_json_at(type, i));
	}
	if (e->n_changes > 0)
		write_env(w, fl_json_get(type, "env"), e->changes, e->n_changes);
	if (e->value.len > 0)
		fl_jsonw_raw(w, e->key, e->value.data);
	fl_jsonw_close(w, '}');
}

static void
write_processes(struct fl_jsonw *w, const struct fl_json *processes, const struct edit *e)
{
	fl_jsonw_open(w, "processes", '{');
	for (size_t i = 0; i < fl_json_len(processes); i++) {
		if (e->type != NULL && strcmp(fl_json_key_at(processes, i), e->type) == 0)
			write_type(w, fl_json_at(processes, i), e);
		else
			fl_jsonw_value(w, fl_json_key_at(processes, i), fl_json_at(processes, i));
	}
	fl_jsonw_close(w, '}');
}

/* What is the release's own and no other's. */
static bool
is_its_own(const char *key)
{
	return strcmp(key, "id") == 0 || strcmp(key, "created_at") == 0 || strcmp(key, "version") == 0;
}

static void
write_release(struct fl_jsonw *w, const struct fl_json *last, const char *artifact, const struct edit *e)
{
	fl_jsonw_open(w, NULL, '{');
	fl_jsonw_str(w, "artifact", artifact);
	for (size_t i = 0; i < fl_json_len(last); i++) {
		const char *key = fl_json_key_at(last, i);

		if (!is_its_own(key) && strcmp(key, "artifact") != 0 && strcmp(key, "env") != 0 && strcmp(key, "processes") != 0)
			fl_jsonw_value(w, key, fl_json_at(last, i));
	}
	if (e->type == NULL)
		write_env(w, fl_json_get(last, "env"), e->changes, e->n_changes);
	else
		fl_jsonw_value(w, "env", fl_json_get(last, "env"));
	write_processes(w, fl_json_get(last, "processes"), e);
	fl_jsonw_close(w, '}');
}

const struct fl_json *
release_type(const struct fl_json *release, const char *app, const char *type, struct fl_err *err)
{
	const struct fl_json *types = fl_json_get(release, "processes"), *found = fl_json_get(types, type);
	struct fl_buf known = { 0 };

	if (!fl_json_is_null(found))
		return found;
	for (size_t i = 0; i < fl_json_len(types); i++)
		fl_buf_addf(&known, "%s%s", i > 0 ? ", " : "", fl_json_key_at(types, i));
	fl_err_set(err, FL_ERR_NOT_FOUND, "app %s has no process type \"%s\": its release has %s", app, type,
	    known.len > 0 ? known.data : "none");
	fl_buf_release(&known);
	return NULL;
}

/* Whether it sets a variable, or removes one that is there; -1, with the sentence, when it does neither. */
static int
check_env(const struct edit *e, const struct fl_json *env, const char *app, struct fl_err *err)
{
	const char *type = e->type != NULL ? e->type : "", *of = e->type != NULL ? " of " : "";

	for (size_t i = 0; i < e->n_changes; i++)
		if (e->changes[i].value != NULL || (fl_json_get(env, e->changes[i].name) != NULL && replaces(&e->changes[i], env)))
			return 0;
	if (e->n_changes == 1)
		fl_err_set(err, FL_ERR_NONE, "Nothing to do: %s%sapp %s has no variable %s.", type, of, app, e->changes[0].name);
	else
		fl_err_set(err, FL_ERR_NONE, "Nothing to do: %s%sapp %s has none of these variables.", type, of, app);
	return -1;
}

const struct fl_json *
release_find(const struct fl_json *list, const char *app, const char *word, struct fl_err *err)
{
	const char *digits = *word == 'v' ? word + 1 : word;
	char number[24];

	for (size_t i = 0; i < fl_json_len(list); i++) {
		const struct fl_json *release = fl_json_at(list, i);
		int64_t version = fl_json_int(fl_json_get(release, "version"), 0);

		snprintf(number, sizeof(number), "%lld", (long long)version);
		if (strcmp(fl_json_text(release, "id"), word) == 0 || (version > 0 && strcmp(number, digits) == 0))
			return release;
	}
	fl_err_set(err, FL_ERR_NOT_FOUND, "app %s has no release %s: flynn releases lists them", app, word);
	return NULL;
}

static bool
is_id(const char *word)
{
	return strlen(word) == 32 && word[strspn(word, "0123456789abcdef")] == '\0';
}

/* No id has so few digits, nor a v. */
static bool
is_version(const char *word)
{
	const char *digits = *word == 'v' ? word + 1 : word;
	size_t n = strspn(digits, "0123456789");

	return n > 0 && n < 20 && digits[n] == '\0';
}

char *
release_id(struct cli *cli, const char *app, const char *word, struct fl_err *err)
{
	const struct fl_json *release = NULL;
	struct fl_json *list;
	char *id = NULL;

	if (is_id(word))
		return fl_xstrdup(word);
	if (!is_version(word)) {
		fl_err_set(err, FL_ERR_INVALID, "\"%s\" is no release of app %s: flynn releases lists them, as v3", word, app);
		return NULL;
	}
	if ((list = client_app_call(cli, "GET", app, "/releases", NULL, NULL, err)) != NULL)
		release = release_find(list, app, word, err);
	if (release != NULL)
		id = fl_xstrdup(fl_json_text(release, "id"));
	fl_json_free(list);
	return id;
}

/* What the change makes of the release's type, if it is one of a type. -1: err, also of kind NONE, when it makes nothing of it. */
static int
edit_begin(struct edit *e, const struct fl_json *last, const char *app, struct fl_err *err)
{
	const struct fl_json *type = e->type != NULL ? release_type(last, app, e->type, err) : NULL;

	if (e->type != NULL && type == NULL)
		return -1;
	if (e->member == NULL)
		return check_env(e, fl_json_get(type != NULL ? type : last, "env"), app, err);
	fl_buf_clear(&e->value);
	e->key = e->member(type, &e->value, e->arg, err);
	return e->key != NULL ? 0 : -1;
}

static char *
edit_once(struct cli *cli, const char *app, struct edit *e, struct fl_err *err)
{
	struct fl_json *last = client_app_release(cli, app, err);
	struct fl_buf text = { 0 };
	struct fl_jsonw w = fl_jsonw(&text);
	char *artifact = NULL, *id = NULL;

	if (last == NULL || edit_begin(e, last, app, err) == -1)
		goto out;
	artifact = fl_xstrdup_null(fl_json_str(fl_json_get(last, "artifact"), NULL));
	if (artifact == NULL && (artifact = release_artifact(cli, NULL, NULL, err)) == NULL)
		goto out;
	write_release(&w, last, artifact, e);
	id = release_set(cli, app, text.data, fl_json_text(last, "id"), err);
out:
	fl_buf_release(&text);
	fl_json_free(last);
	free(artifact);
	return id;
}

static char *
release_edit(struct cli *cli, const char *app, struct edit *e, struct fl_err *err)
{
	struct fl_err why = { 0 };
	int tries = 0;
	char *id;

	do
		id = edit_once(cli, app, e, &why);
	while (id == NULL && release_goes_again(&why, &tries));
	if (id == NULL && err != NULL)
		*err = why;
	fl_buf_release(&e->value);
	return id;
}

char *
release_with_env(struct cli *cli, const char *app, const char *type, const struct release_change *changes,
    size_t n_changes, struct fl_err *err)
{
	struct edit e = { .type = type, .changes = changes, .n_changes = n_changes };

	return release_edit(cli, app, &e, err);
}

char *
release_with_member(struct cli *cli, const char *app, const char *type, release_member member, const void *arg, struct fl_err *err)
{
	struct edit e = { .type = type, .member = member, .arg = arg };

	return release_edit(cli, app, &e, err);
}

int
release_say(char *id, const struct fl_err *err)
{
	if (id == NULL && err->kind != FL_ERR_NONE)
		return cli_fail(err);
	if (id == NULL)
		fprintf(stderr, "%s\n", err->msg);
	else
		fprintf(stderr, "Created release %s.\n", id);
	free(id);
	return 0;
}
