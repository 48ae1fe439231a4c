#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/client.h"
#include "cli/image.h"
#include "cli/read_file.h"
#include "cli/release.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/json.h"
#include "libflynn/process.h"
#include "libflynn/xmalloc.h"

#define CONFIG_MAX ((size_t)4 << 20)

/* What only a type of a slug has, or only its image knows. */
static bool
is_command(const char *key)
{
	return strcmp(key, "cmd") == 0 || strcmp(key, "args") == 0 || strcmp(key, "entrypoint") == 0;
}

/* A type that runs what the image says, with what the last release said of it else. */
static void
write_web(struct fl_jsonw *w, const char *app, const struct fl_json *last)
{
	fl_jsonw_open(w, "web", '{');
	for (size_t i = 0; i < fl_json_len(last); i++)
		if (!is_command(fl_json_key_at(last, i)))
			fl_jsonw_value(w, fl_json_key_at(last, i), fl_json_at(last, i));
	if (fl_json_is_null(fl_json_get(last, "ports")))
		fl_process_write_ports(w, app, "web");
	fl_jsonw_close(w, '}');
}

/* That of the last release, but for where its slug is, and on top of it what the file says. */
static void
write_env(struct fl_jsonw *w, const struct fl_json *last, const struct fl_json *config)
{
	fl_jsonw_open(w, "env", '{');
	for (size_t i = 0; i < fl_json_len(last); i++)
		if (strcmp(fl_json_key_at(last, i), "SLUG_URL") != 0 && fl_json_get(config, fl_json_key_at(last, i)) == NULL)
			fl_jsonw_value(w, fl_json_key_at(last, i), fl_json_at(last, i));
	for (size_t i = 0; i < fl_json_len(config); i++)
		fl_jsonw_value(w, fl_json_key_at(config, i), fl_json_at(config, i));
	fl_jsonw_close(w, '}');
}

/* Process types are the file's, or those that the last release had of an image, or one that runs the image's command. */
static void
write_release(struct fl_buf *b, const char *app, const char *artifact, const struct fl_json *last, const struct fl_json *config)
{
	const struct fl_json *env = fl_json_get(last, "env"), *types = fl_json_get(last, "processes");
	struct fl_jsonw w = fl_jsonw(b);

	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_str(&w, "artifact", artifact);
	write_env(&w, env, fl_json_get(config, "env"));
	if (fl_json_len(fl_json_get(config, "processes")) > 0) {
		fl_jsonw_value(&w, "processes", fl_json_get(config, "processes"));
	} else if (fl_json_len(types) > 0 && fl_json_is_null(fl_json_get(env, "SLUG_URL"))) {
		fl_jsonw_value(&w, "processes", types);
	} else {
		fl_jsonw_open(&w, "processes", '{');
		write_web(&w, app, fl_json_get(types, "web"));
		fl_jsonw_close(&w, '}');
	}
	fl_jsonw_close(&w, '}');
}

/* A release as JSON in a file; JSON null without one. The caller frees. */
static struct fl_json *
read_config(const char *path, struct fl_err *err)
{
	struct fl_json *v = NULL;
	size_t len;
	char *text = path != NULL ? read_file(path, CONFIG_MAX, &len, err) : fl_xstrdup("null");

	if (text == NULL)
		return NULL;
	if ((v = fl_json_parse(text, path != NULL ? len : strlen(text), err)) == NULL) {
		fl_err_wrap(err, "%s", path);
	} else if (path != NULL && fl_json_type(v) != FL_JSON_OBJECT) {
		fl_err_set(err, FL_ERR_INVALID, "%s is no JSON object with \"processes\" and \"env\"", path);
		fl_json_free(v);
		v = NULL;
	}
	free(text);
	return v;
}

/* Nobody has said yet how many jobs of it shall run: one, as after a first push. -1: none does, and nothing runs. */
static int
scale_first(struct cli *cli, const char *app, const char *release)
{
	char scale[] = "scale", web[] = "web=1", *argv[] = { scale, web, NULL }, *rest;
	struct fl_json *formations = client_app_call(cli, "GET", app, "/formations", NULL, NULL, NULL), *answer;
	bool is_first = formations != NULL && fl_json_len(formations) == 0;

	fl_json_free(formations);
	optind = 0; /* begin again with other words */
	if (!is_first || cmd_scale(cli, 2, argv) == 0)
		return 0;
	rest = fl_xasprintf("/formations/%s", release);
	answer = client_app_call(cli, "DELETE", app, rest, NULL, NULL, NULL);
	fl_json_free(answer);
	free(rest);
	return -1;
}

/* Of an image, with what config and the last release say; the new release's id (caller frees). */
static char *
deploy_once(struct cli *cli, const char *app, const char *image, const struct fl_json *config, struct fl_err *err)
{
	struct fl_json *last = client_app_release(cli, app, err);
	char *uri = image_uri(image), *artifact = last != NULL ? image_artifact(cli, uri, err) : NULL, *id = NULL;
	struct fl_buf text = { 0 };

	if (artifact != NULL) {
		write_release(&text, app, artifact, last, config);
		id = release_set(cli, app, text.data, fl_json_text(last, "id"), err);
	}
	fl_buf_release(&text);
	fl_json_free(last);
	free(uri);
	free(artifact);
	return id;
}

/* The file may be stdin: it is read once. */
static char *
deploy(struct cli *cli, const char *image, const char *file, struct fl_err *err)
{
	const char *app = cli_app(cli, err);
	struct fl_json *config = app != NULL ? read_config(file, err) : NULL;
	char *id = NULL;
	int tries = 0;

	if (config == NULL)
		return NULL;
	do
		id = deploy_once(cli, app, image, config, err);
	while (id == NULL && release_goes_again(err, &tries));
	fl_json_free(config);
	return id;
}

int
cmd_deploy(struct cli *cli, int argc, char **argv)
{
	static const struct option options[] = {
		{ "image", required_argument, NULL, 'i' },
		{ "file", required_argument, NULL, 'f' },
		{ NULL, 0, NULL, 0 },
	};
	const char *image = NULL, *file = NULL;
	struct fl_err err;
	char *id;
	int c, status;

	while ((c = getopt_long(argc, argv, "i:f:", options, NULL)) != -1) {
		if (c == '?')
			return cli_usage("deploy");
		*(c == 'i' ? &image : &file) = optarg;
	}
	if (argc != optind || image == NULL)
		return cli_usage("deploy");
	if ((id = deploy(cli, image, file, &err)) == NULL)
		return cli_fail(&err);
	fprintf(stderr, "Created release %s.\n", id);
	status = scale_first(cli, cli->app, id) == 0 ? 0 : CLI_EXIT_FAILED;
	free(id);
	return status;
}

/* The file's release, of that artifact. */
static void
write_given(struct fl_buf *b, const struct fl_json *config, const char *artifact)
{
	struct fl_jsonw w = fl_jsonw(b);

	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_str(&w, "artifact", artifact);
	for (size_t i = 0; i < fl_json_len(config); i++)
		if (strcmp(fl_json_key_at(config, i), "artifact") != 0)
			fl_jsonw_value(&w, fl_json_key_at(config, i), fl_json_at(config, i));
	fl_jsonw_close(&w, '}');
}

/* Just what is said, as in 2014: the image is not looked for before a job wants it. */
static char *
add_release(struct cli *cli, const char *type, const char *uri, const char *file, struct fl_err *err)
{
	struct fl_json *config = read_config(file, err);
	const char *app = config != NULL ? cli_app(cli, err) : NULL;
	char *artifact = NULL, *id = NULL;
	struct fl_buf text = { 0 };

	if (app != NULL && client_app_check(cli, app, err) == 0)
		artifact = release_artifact(cli, type, uri, err);
	if (artifact != NULL) {
		write_given(&text, config, artifact);
		id = release_set(cli, app, text.data, NULL, err);
	}
	fl_buf_release(&text);
	fl_json_free(config);
	free(artifact);
	return id;
}

int
cmd_release_add(struct cli *cli, int argc, char **argv)
{
	static const struct option options[] = { { "file", required_argument, NULL, 'f' }, { NULL, 0, NULL, 0 } };
	const char *type = "docker", *file = NULL;
	char *uri, *id;
	struct fl_err err;
	int c;

	while ((c = getopt_long(argc, argv, "t:f:", options, NULL)) != -1) {
		if (c == '?')
			return cli_usage("release add");
		*(c == 't' ? &type : &file) = optarg;
	}
	if (argc - optind == 1)
		uri = image_uri(argv[optind]);
	else if (argc - optind == 2) /* release-add-docker IMAGE TAG */
		uri = image_uri_of(argv[optind], argv[optind + 1]);
	else
		return cli_usage("release add");
	id = add_release(cli, type, uri, file, &err);
	free(uri);
	return release_say(id, &err);
}
