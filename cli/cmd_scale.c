#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/client.h"
#include "cli/release.h"
#include "cli/table.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/http_client.h"
#include "libflynn/job.h"
#include "libflynn/json.h"
#include "libflynn/rollout.h"
#include "libflynn/url.h"
#include "libflynn/xmalloc.h"

#define MAX_COUNT 1000
#define WAIT_S 120

struct scale {
	const char *app;
	const char *release_id;
	struct fl_json *release, *formation; /* formation: JSON null when there is none */
	struct fl_rollout_goal *goals;
	size_t n_goals;
};

static void
scale_release(struct scale *s)
{
	fl_json_free(s->release);
	fl_json_free(s->formation);
	for (size_t i = 0; i < s->n_goals; i++)
		free(s->goals[i].type);
	free(s->goals);
}

static int
parse_goal(const char *word, struct fl_rollout_goal *goal, struct fl_err *err)
{
	const char *eq = strchr(word, '=');
	char *end = NULL;
	long count = eq != NULL ? strtol(eq + 1, &end, 10) : -1;

	if (eq == NULL || eq == word || eq[1] == '\0' || eq[1 + strspn(eq + 1, "-0123456789")] != '\0' || *end != '\0')
		return fl_err_set(err, FL_ERR_INVALID, "\"%s\" is no TYPE=COUNT: write, say, web=3", word);
	if (count < 0 || count > MAX_COUNT)
		return fl_err_set(err, FL_ERR_INVALID, "\"%s\": a count is a number from 0 to %d", word, MAX_COUNT);
	goal->type = fl_xstrndup(word, (size_t)(eq - word));
	goal->count = (int)count;
	return 0;
}

static const struct fl_rollout_goal *
goal_of(const struct scale *s, const char *type)
{
	for (size_t i = 0; i < s->n_goals; i++)
		if (strcmp(s->goals[i].type, type) == 0)
			return &s->goals[i];
	return NULL;
}

/* A release phase runs when its release is deployed. */
static bool
is_scaled(const char *type)
{
	return strcmp(type, FL_JOB_TYPE_RELEASE) != 0;
}

static int
check_types(const struct scale *s, struct fl_err *err)
{
	const struct fl_json *types = fl_json_get(s->release, "processes");
	struct fl_buf known = { 0 };
	int r = 0;

	for (size_t i = 0; i < fl_json_len(types); i++)
		fl_buf_addf(&known, "%s%s", i > 0 ? ", " : "", fl_json_key_at(types, i));
	for (size_t i = 0; r == 0 && i < s->n_goals; i++) {
		const char *type = s->goals[i].type;

		if (fl_json_is_null(fl_json_get(types, type)))
			r = fl_err_set(err, FL_ERR_INVALID, "app %s has no process type \"%s\": its release has %s", s->app, type,
			    known.len > 0 ? known.data : "none");
		else if (goal_of(s, type) != &s->goals[i])
			r = fl_err_set(err, FL_ERR_INVALID, "%s is given twice: one count for each type", type);
	}
	fl_buf_release(&known);
	return r;
}

static struct fl_json *
read_release(struct cli *cli, const char *app, const char *word, struct fl_err *err)
{
	char *id = release_id(cli, app, word, err), *encoded, *path, *what;
	struct fl_json *release;

	if (id == NULL)
		return NULL;
	encoded = fl_url_encode(id);
	path = fl_xasprintf("/releases/%s", encoded);
	what = fl_xasprintf("release %s", id);
	release = client_get(cli, path, what, err);
	free(id);
	free(encoded);
	free(path);
	free(what);
	return release;
}

/* Read release and formation into s. */
static int
scale_read(struct cli *cli, struct scale *s, const char *word, struct fl_err *err)
{
	char *rest;
	struct fl_err why = { 0 };

	s->release = word != NULL ? read_release(cli, s->app, word, err) : client_app_release(cli, s->app, err);
	if (s->release == NULL)
		return -1;
	if ((s->release_id = fl_json_str(fl_json_get(s->release, "id"), NULL)) == NULL)
		return fl_err_set(err, FL_ERR_INVALID, "app %s has no release yet: git push flynn master makes one", s->app);
	rest = fl_xasprintf("/formations/%s", s->release_id);
	s->formation = client_app_call(cli, "GET", s->app, rest, NULL, "the formation", &why);
	free(rest);
	if (s->formation == NULL && why.kind == FL_ERR_NOT_FOUND)
		s->formation = fl_json_parse("null", 4, &why);
	if (s->formation == NULL && err != NULL)
		*err = why;
	return s->formation != NULL ? 0 : -1;
}

static int64_t
count_of(const struct scale *s, const char *type)
{
	return fl_json_int(fl_json_get(fl_json_get(s->formation, "processes"), type), 0);
}

static void
show_json(const struct scale *s)
{
	const struct fl_json *types = fl_json_get(s->release, "processes");
	struct fl_buf text = { 0 };
	struct fl_jsonw w = fl_jsonw(&text);

	fl_jsonw_open(&w, NULL, '{');
	for (size_t i = 0; i < fl_json_len(types); i++)
		if (is_scaled(fl_json_key_at(types, i)))
			fl_jsonw_int(&w, fl_json_key_at(types, i), count_of(s, fl_json_key_at(types, i)));
	fl_jsonw_close(&w, '}');
	printf("%s\n", fl_buf_cstr(&text));
	fl_buf_release(&text);
}

static void
show_table(const struct scale *s)
{
	const struct fl_json *types = fl_json_get(s->release, "processes");
	static const char *const heads[] = { "TYPE", "COUNT", NULL };
	struct table *t = table_new(heads);
	char count[24];

	for (size_t i = 0; i < fl_json_len(types); i++) {
		if (!is_scaled(fl_json_key_at(types, i)))
			continue;
		snprintf(count, sizeof(count), "%lld", (long long)count_of(s, fl_json_key_at(types, i)));
		table_row(t, fl_json_key_at(types, i), count);
	}
	table_print(t);
}

/* The formation as it is, with the goals in it: the whole map is replaced by a PUT. */
static void
write_formation(struct fl_buf *b, const struct scale *s)
{
	const struct fl_json *counts = fl_json_get(s->formation, "processes");
	struct fl_jsonw w = fl_jsonw(b);

	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_open(&w, "processes", '{');
	for (size_t i = 0; i < fl_json_len(counts); i++)
		if (goal_of(s, fl_json_key_at(counts, i)) == NULL)
			fl_jsonw_value(&w, fl_json_key_at(counts, i), fl_json_at(counts, i));
	for (size_t i = 0; i < s->n_goals; i++)
		fl_jsonw_int(&w, s->goals[i].type, s->goals[i].count);
	fl_jsonw_close(&w, '}');
	fl_jsonw_close(&w, '}');
}

/* What rollout calls back with. */
struct setting {
	struct cli *cli;
	const struct scale *scale;
};

static char *
put_formation(void *arg, struct fl_err *err)
{
	const struct setting *set = arg;
	const struct scale *s = set->scale;
	char *rest = fl_xasprintf("/formations/%s", s->release_id), *release = NULL;
	struct fl_buf body = { 0 };
	struct fl_json *answer;

	write_formation(&body, s);
	if ((answer = client_app_call(set->cli, "PUT", s->app, rest, &body, "the formation", err)) != NULL)
		release = fl_xstrdup(s->release_id);
	fl_json_free(answer);
	fl_buf_release(&body);
	free(rest);
	return release;
}

static int
set_and_wait(struct cli *cli, const struct scale *s, struct fl_err *err)
{
	struct setting setting = { cli, s };
	struct fl_http_call_opts where = { 0 };
	struct fl_rollout rollout = {
		.app = s->app, .goals = s->goals, .n_goals = s->n_goals, .timeout_s = WAIT_S,
		.change = put_formation, .on_job = table_print_job, .arg = &setting
	};
	int r;

	client_opts(cli, "", &where);
	rollout.controller = where.url;
	rollout.key = where.key;
	rollout.pin = where.pin;
	r = fl_rollout_run(&rollout, err);
	free((char *)where.url);
	return r;
}

static int
set_only(struct cli *cli, const struct scale *s, struct fl_err *err)
{
	struct setting setting = { cli, s };
	char *release = put_formation(&setting, err);

	free(release);
	return release != NULL ? 0 : -1;
}

int
cmd_scale(struct cli *cli, int argc, char **argv)
{
	static const struct option options[] = {
		{ "no-wait", no_argument, NULL, 'n' },
		{ "release", required_argument, NULL, 'r' },
		{ NULL, 0, NULL, 0 },
	};
	const char *release = NULL;
	struct scale s = { 0 };
	bool wait = true;
	struct fl_err err = { 0 };
	int c, status = 0;

	while ((c = getopt_long(argc, argv, "nr:", options, NULL)) != -1) {
		if (c == 'n')
			wait = false;
		else if (c == 'r')
			release = optarg;
		else
			return cli_usage("scale");
	}
	s.goals = fl_xcalloc((size_t)(argc - optind) + 1, sizeof(*s.goals));
	for (int i = optind; i < argc && err.kind == FL_ERR_NONE; i++)
		if (parse_goal(argv[i], &s.goals[s.n_goals], &err) == 0)
			s.n_goals++;
	if (err.kind != FL_ERR_NONE || (s.app = cli_app(cli, &err)) == NULL || scale_read(cli, &s, release, &err) == -1)
		status = cli_fail(&err);
	else if (s.n_goals == 0)
		(cli->json ? show_json : show_table)(&s);
	else if (check_types(&s, &err) == -1 || (wait ? set_and_wait : set_only)(cli, &s, &err) == -1)
		status = cli_fail(&err);
	scale_release(&s);
	return status;
}
