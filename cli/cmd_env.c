#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/client.h"
#include "cli/env_file.h"
#include "cli/list.h"
#include "cli/read_file.h"
#include "cli/release.h"
#include "cli/replace_file.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/json.h"
#include "libflynn/utf8.h"
#include "libflynn/xmalloc.h"

/* A release has no more than a few MiB. */
#define ENV_FILE_MAX ((size_t)1 << 20)

/* The -t option that all env commands take. Returns -1 for another one. */
static int
parse_type(int argc, char **argv, const char **type)
{
	static const struct option options[] = { { "process-type", required_argument, NULL, 't' }, { NULL, 0, NULL, 0 } };
	int c;

	while ((c = getopt_long(argc, argv, "+t:", options, NULL)) != -1) {
		if (c != 't')
			return -1;
		*type = optarg;
	}
	return 0;
}

/*
 * The release of the app, and in *env the environment of it or of its one process type; both JSON null when there is none.
 * The caller frees the release.
 */
static struct fl_json *
read_env(struct cli *cli, const char *type, const struct fl_json **env, struct fl_err *err)
{
	const char *app = cli_app(cli, err);
	struct fl_json *release = app != NULL ? client_app_release(cli, app, err) : NULL;
	const struct fl_json *of = release;

	if (type != NULL && !fl_json_is_null(release) &&
	    fl_json_is_null(of = fl_json_get(fl_json_get(release, "processes"), type))) {
		fl_err_set(err, FL_ERR_NOT_FOUND, "app %s has no process type \"%s\"", app, type);
		fl_json_free(release);
		return NULL;
	}
	*env = fl_json_get(of, "env");
	return release;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Their names in order; the caller frees the array. */
static const char **
sorted_names(const struct fl_json *env)
{
	size_t n = fl_json_len(env);
	const char **names = fl_xcalloc(n + 1, sizeof(*names));

	for (size_t i = 0; i < n; i++)
		names[i] = fl_json_key_at(env, i);
	qsort(names, n, sizeof(*names), by_name);
	return names;
}

static void
print_sorted(const struct fl_json *env)
{
	const char **names = sorted_names(env);

	for (size_t i = 0; names[i] != NULL; i++)
		printf("%s=%s\n", names[i], fl_json_text(env, names[i]));
	free(names);
}

int
cmd_env(struct cli *cli, int argc, char **argv)
{
	const struct fl_json *env = NULL;
	struct fl_json *release;
	const char *type = NULL;
	struct fl_err err;

	if (parse_type(argc, argv, &type) == -1 || optind != argc)
		return cli_usage("env");
	if ((release = read_env(cli, type, &env, &err)) == NULL)
		return cli_fail(&err);
	if (!cli->json)
		print_sorted(env);
	else if (!fl_json_is_null(env))
		list_print_json(env);
	else
		printf("{}\n");
	fl_json_free(release);
	return 0;
}

int
cmd_env_get(struct cli *cli, int argc, char **argv)
{
	const struct fl_json *env = NULL;
	struct fl_json *release;
	const char *type = NULL, *value;
	struct fl_err err;
	int status = 0;

	if (parse_type(argc, argv, &type) == -1 || argc - optind != 1)
		return cli_usage("env get");
	if ((release = read_env(cli, type, &env, &err)) == NULL)
		return cli_fail(&err);
	if ((value = fl_json_str(fl_json_get(env, argv[optind]), NULL)) != NULL) {
		printf("%s\n", value);
	} else {
		fl_err_set(&err, FL_ERR_NOT_FOUND, "the app has no variable %s: flynn env lists those it has", argv[optind]);
		status = cli_fail(&err);
	}
	fl_json_free(release);
	return status;
}

/* What is to be set, or removed. */
struct changes {
	struct release_change *items;
	size_t n;
};

static void
changes_add(struct changes *c, char *name, char *value)
{
	c->items = fl_xreallocarray(c->items, c->n + 1, sizeof(*c->items));
	c->items[c->n++] = (struct release_change){ .name = name, .value = value };
}

static void
changes_release(struct changes *c)
{
	for (size_t i = 0; i < c->n; i++) {
		free(c->items[i].name);
		free((char *)c->items[i].value);
	}
	free(c->items);
}

static void
on_variable(const char *name, const char *value, void *arg)
{
	changes_add(arg, fl_xstrdup(name), fl_xstrdup(value));
}

/* word is NAME=VALUE. */
static int
changes_add_word(struct changes *c, const char *word, struct fl_err *err)
{
	size_t len = strcspn(word, "=");

	changes_add(c, fl_xstrndup(word, len), fl_xstrdup(word[len] == '=' ? word + len + 1 : ""));
	if (word[len] != '=')
		return fl_err_set(err, FL_ERR_INVALID, "\"%s\" has no =: write NAME=VALUE", word);
	if (!fl_utf8_valid(word, strlen(word))) /* JSON would make something else of it */
		return fl_err_set(err, FL_ERR_INVALID, "the value of %.*s is no text in UTF-8: set it in base64, say", (int)len, word);
	return env_file_check_name(c->items[c->n - 1].name, err);
}

static int
changes_add_file(struct changes *c, const char *path, struct fl_err *err)
{
	size_t len;
	char *text = read_file(path, ENV_FILE_MAX, &len, err);
	int r = -1;

	if (text == NULL)
		return -1;
	if ((r = env_file_parse(text, len, on_variable, c, err)) == -1)
		fl_err_wrap(err, "%s", path);
	else if (c->n == 0)
		r = fl_err_set(err, FL_ERR_INVALID, "%s has no variables", path);
	free(text);
	return r;
}

/* One release, whatever their number. */
static int
changes_make(struct cli *cli, const char *type, const struct changes *c, const struct fl_err *why)
{
	struct fl_err err = *why;
	const char *app;
	char *id = NULL;

	if (err.kind == FL_ERR_NONE && (app = cli_app(cli, &err)) != NULL)
		id = release_with_env(cli, app, type, c->items, c->n, &err);
	return release_say(id, &err);
}

int
cmd_env_set(struct cli *cli, int argc, char **argv)
{
	static const struct option options[] = {
		{ "process-type", required_argument, NULL, 't' },
		{ "file", required_argument, NULL, 'f' },
		{ NULL, 0, NULL, 0 },
	};
	const char *type = NULL, *file = NULL;
	struct changes changes = { 0 };
	struct fl_err err = { 0 };
	int c, status;

	while ((c = getopt_long(argc, argv, "+t:f:", options, NULL)) != -1) {
		if (c == '?')
			return cli_usage("env set");
		*(c == 't' ? &type : &file) = optarg;
	}
	if (argc == optind && file == NULL)
		return cli_usage("env set");
	if (file != NULL)
		changes_add_file(&changes, file, &err);
	for (int i = optind; i < argc && err.kind == FL_ERR_NONE; i++)
		changes_add_word(&changes, argv[i], &err);
	status = changes_make(cli, type, &changes, &err);
	changes_release(&changes);
	return status;
}

int
cmd_env_load(struct cli *cli, int argc, char **argv)
{
	const char *type = NULL;
	struct changes changes = { 0 };
	struct fl_err err = { 0 };
	int status;

	if (parse_type(argc, argv, &type) == -1 || argc - optind != 1)
		return cli_usage("env load");
	changes_add_file(&changes, argv[optind], &err);
	status = changes_make(cli, type, &changes, &err);
	changes_release(&changes);
	return status;
}

int
cmd_env_unset(struct cli *cli, int argc, char **argv)
{
	const char *type = NULL;
	struct changes changes = { 0 };
	struct fl_err err = { 0 };
	int status;

	if (parse_type(argc, argv, &type) == -1 || argc == optind)
		return cli_usage("env unset");
	for (int i = optind; i < argc && err.kind == FL_ERR_NONE; i++) {
		changes_add(&changes, fl_xstrdup(argv[i]), NULL);
		env_file_check_name(argv[i], &err);
	}
	status = changes_make(cli, type, &changes, &err);
	changes_release(&changes);
	return status;
}

/* Where the code is goes with the release: loaded again it would bring old code back. */
static void
write_file(struct fl_buf *b, const struct fl_json *env)
{
	const char **names = sorted_names(env);

	for (size_t i = 0; names[i] != NULL; i++)
		if (strcmp(names[i], "SLUG_URL") != 0)
			env_file_write(b, names[i], fl_json_text(env, names[i]));
	free(names);
}

int
cmd_env_export(struct cli *cli, int argc, char **argv)
{
	const struct fl_json *env = NULL;
	struct fl_json *release;
	const char *type = NULL;
	struct fl_buf text = { 0 };
	struct fl_err err;
	int status = 0;

	if (parse_type(argc, argv, &type) == -1 || argc - optind > 1)
		return cli_usage(argv[0]);
	if ((release = read_env(cli, type, &env, &err)) == NULL)
		return cli_fail(&err);
	write_file(&text, env);
	if (optind == argc)
		fputs(fl_buf_cstr(&text), stdout);
	else if (replace_file(argv[optind], &text, &err) == -1)
		status = cli_fail(&err);
	fl_buf_release(&text);
	fl_json_free(release);
	return status;
}
