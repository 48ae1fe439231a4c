#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/client.h"
#include "cli/number.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/json.h"
#include "libflynn/xmalloc.h"

#define TIMEOUT_MAX_S 3600
#define BATCH_MAX 10000

/* How an app is deployed is in its meta. */
struct setting {
	const char *command, *key, *unset;
	/* The value to write for what was typed, which the caller frees; NULL with err. */
	char *(*read)(const char *word, struct fl_err *err);
	const char *unit; /* behind the value when it is shown */
};

static char *
read_strategy(const char *word, struct fl_err *err)
{
	static const char *const names[] = { "one-by-one", "in-batches", "all-at-once", "one-down-one-up" };

	for (size_t i = 0; i < fl_nitems(names); i++)
		if (strcmp(word, names[i]) == 0)
			return fl_xstrdup(word);
	fl_err_set(err, FL_ERR_INVALID, "\"%.60s\" is no strategy: it is one-by-one, in-batches, all-at-once or one-down-one-up", word);
	return NULL;
}

static char *
read_timeout(const char *word, struct fl_err *err)
{
	int s;

	return number_read_time(word, word, TIMEOUT_MAX_S, &s, err) == 0 ? fl_xasprintf("%d", s) : NULL;
}

static char *
read_batch_size(const char *word, struct fl_err *err)
{
	int n = number_read(word, BATCH_MAX);

	if (n >= 1)
		return fl_xasprintf("%d", n);
	fl_err_set(err, FL_ERR_INVALID, "\"%.60s\" is no number from 1 to %d", word, BATCH_MAX);
	return NULL;
}

/* value NULL: without it. */
static int
write_meta(struct cli *cli, const char *app, const struct fl_json *meta, const char *key, const char *value, struct fl_err *err)
{
	struct fl_buf body = { 0 };
	struct fl_jsonw w = fl_jsonw(&body);
	struct fl_json *answer;
	int r;

	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_open(&w, "meta", '{');
	for (size_t i = 0; i < fl_json_len(meta); i++)
		if (strcmp(fl_json_key_at(meta, i), key) != 0)
			fl_jsonw_value(&w, fl_json_key_at(meta, i), fl_json_at(meta, i));
	if (value != NULL)
		fl_jsonw_str(&w, key, value);
	fl_jsonw_close(&w, '}');
	fl_jsonw_close(&w, '}');
	answer = client_app_call(cli, "POST", app, "", &body, NULL, err);
	r = answer != NULL ? 0 : -1;
	fl_json_free(answer);
	fl_buf_release(&body);
	return r;
}

static int
show_or_set(struct cli *cli, int argc, char **argv, const struct setting *s)
{
	const char *app, *now;
	struct fl_json *record = NULL;
	struct fl_err err = { 0 };
	char *value = NULL;

	if (argc > 2)
		return cli_usage(s->command);
	if (argc == 2 && strcmp(argv[1], "default") != 0)
		value = s->read(argv[1], &err);
	if (err.kind == FL_ERR_NONE && (app = cli_app(cli, &err)) != NULL &&
	    (record = client_app_call(cli, "GET", app, "", NULL, NULL, &err)) != NULL) {
		now = fl_json_str(fl_json_get(fl_json_get(record, "meta"), s->key), NULL);
		if (argc == 1)
			printf("%s%s\n", now != NULL ? now : s->unset, now != NULL ? s->unit : "");
		else
			write_meta(cli, app, fl_json_get(record, "meta"), s->key, value, &err);
	}
	fl_json_free(record);
	free(value);
	return err.kind != FL_ERR_NONE ? cli_fail(&err) : 0;
}

int
cmd_deployment_strategy(struct cli *cli, int argc, char **argv)
{
	static const struct setting s = { "deployment strategy", "deploy.strategy", "one-by-one", read_strategy, "" };

	return show_or_set(cli, argc, argv, &s);
}

int
cmd_deployment_timeout(struct cli *cli, int argc, char **argv)
{
	static const struct setting s = { "deployment timeout", "deploy.timeout", "120s", read_timeout, "s" };

	return show_or_set(cli, argc, argv, &s);
}

int
cmd_deployment_batch_size(struct cli *cli, int argc, char **argv)
{
	static const struct setting s = { "deployment batch-size", "deploy.batch_size", "a third", read_batch_size, "" };

	return show_or_set(cli, argc, argv, &s);
}
