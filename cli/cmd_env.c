#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "client.h"
#include "libflynn/err.h"
#include "libflynn/json.h"
#include "libflynn/xmalloc.h"
#include "list.h"
#include "release.h"

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

static void
print_sorted(const struct fl_json *env)
{
	size_t n = fl_json_len(env);
	const char **names = fl_xcalloc(n + 1, sizeof(*names));

	for (size_t i = 0; i < n; i++)
		names[i] = fl_json_key_at(env, i);
	qsort(names, n, sizeof(*names), by_name);
	for (size_t i = 0; i < n; i++)
		printf("%s=%s\n", names[i], fl_json_str(fl_json_get(env, names[i]), ""));
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

static int
check_name(const char *name, struct fl_err *err)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";

	if (*name == '\0' || strchr("0123456789", *name) != NULL || name[strspn(name, letters)] != '\0')
		return fl_err_set(err, FL_ERR_INVALID,
		    "\"%.60s\" is no variable name: names have letters, digits and _, and do not begin with a digit", name);
	return 0;
}

/* words are NAME=VALUE, or NAME when removing. */
static int
change_env(struct cli *cli, const char *type, char **words, size_t n, bool removing)
{
	struct release_change *changes = fl_xcalloc(n, sizeof(*changes));
	const char *app;
	char *id = NULL;
	struct fl_err err = { 0 };

	for (size_t i = 0; i < n; i++) {
		size_t len = removing ? strlen(words[i]) : strcspn(words[i], "=");

		changes[i].name = fl_xstrndup(words[i], len);
		changes[i].value = removing ? NULL : words[i] + len + 1;
		if (err.kind != FL_ERR_NONE)
			continue;
		if (!removing && words[i][len] != '=')
			fl_err_set(&err, FL_ERR_INVALID, "\"%s\" has no =: write NAME=VALUE", words[i]);
		else
			check_name(changes[i].name, &err);
	}
	if (err.kind == FL_ERR_NONE && (app = cli_app(cli, &err)) != NULL)
		id = release_with_env(cli, app, type, changes, n, &err);
	if (id != NULL)
		fprintf(stderr, "Created release %s.\n", id);
	for (size_t i = 0; i < n; i++)
		free(changes[i].name);
	free(changes);
	free(id);
	return err.kind != FL_ERR_NONE ? cli_fail(&err) : 0;
}

int
cmd_env_set(struct cli *cli, int argc, char **argv)
{
	const char *type = NULL;

	if (parse_type(argc, argv, &type) == -1 || argc == optind)
		return cli_usage("env set");
	return change_env(cli, type, argv + optind, (size_t)(argc - optind), false);
}

int
cmd_env_unset(struct cli *cli, int argc, char **argv)
{
	const char *type = NULL;

	if (parse_type(argc, argv, &type) == -1 || argc == optind)
		return cli_usage("env unset");
	return change_env(cli, type, argv + optind, (size_t)(argc - optind), true);
}
