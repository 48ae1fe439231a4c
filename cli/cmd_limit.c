#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/client.h"
#include "cli/limit.h"
#include "cli/list.h"
#include "cli/release.h"
#include "cli/table.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/json.h"
#include "libflynn/process.h"

static void
print_limits(const struct fl_json *types, const void *arg)
{
	static const char *const heads[] = { "TYPE", "MEMORY", "CPU", NULL };
	struct table *t = table_new(heads);
	char memory[LIMIT_TEXT], cpu[LIMIT_TEXT];

	for (size_t i = 0; i < fl_json_len(types); i++) {
		const struct fl_json *type = fl_json_at(types, i);

		if (arg == NULL || strcmp(fl_json_key_at(types, i), arg) == 0)
			table_row(t, fl_json_key_at(types, i), limit_text(LIMIT_MEMORY, fl_process_limit(type, "memory"), memory),
			    limit_text(LIMIT_CPU, fl_process_limit(type, "cpu"), cpu));
	}
	table_print(t);
}

static void
print_json(const struct fl_json *types, const char *only)
{
	struct fl_buf b = { 0 };
	struct fl_jsonw w = fl_jsonw(&b);

	fl_jsonw_open(&w, NULL, '{');
	for (size_t i = 0; i < fl_json_len(types); i++) {
		if (only != NULL && strcmp(fl_json_key_at(types, i), only) != 0)
			continue;
		fl_jsonw_open(&w, fl_json_key_at(types, i), '{');
		for (enum limit_kind kind = 0; kind < LIMIT_MAX; kind++) {
			int64_t n = fl_process_limit(fl_json_at(types, i), limit_name(kind));

			if (n > 0)
				fl_jsonw_int(&w, limit_name(kind), n);
		}
		fl_jsonw_close(&w, '}');
	}
	fl_jsonw_close(&w, '}');
	printf("%s\n", fl_buf_cstr(&b));
	fl_buf_release(&b);
}

int
cmd_limit(struct cli *cli, int argc, char **argv)
{
	static const struct option options[] = { { "process-type", required_argument, NULL, 't' }, { NULL, 0, NULL, 0 } };
	struct fl_json *release = NULL;
	const char *type = NULL, *app;
	struct fl_err err;
	int c;

	while ((c = getopt_long(argc, argv, "t:", options, NULL)) != -1) {
		if (c != 't')
			return cli_usage("limit");
		type = optarg;
	}
	if (argc != optind)
		return cli_usage("limit");
	if ((app = cli_app(cli, &err)) == NULL || (release = client_app_release(cli, app, &err)) == NULL ||
	    (type != NULL && release_type(release, app, type, &err) == NULL)) {
		fl_json_free(release);
		return cli_fail(&err);
	}
	if (cli->json)
		print_json(fl_json_get(release, "processes"), type);
	else
		print_limits(fl_json_get(release, "processes"), type);
	fl_json_free(release);
	return 0;
}

/* The type's resources with what arg says, words up to a NULL. */
static const char *
write_resources(const struct fl_json *type, struct fl_buf *b, const void *arg, struct fl_err *err)
{
	const struct fl_json *have = fl_json_get(type, "resources");
	int64_t values[LIMIT_MAX];
	struct fl_jsonw w = fl_jsonw(b);

	for (enum limit_kind kind = 0; kind < LIMIT_MAX; kind++)
		values[kind] = fl_process_limit(type, limit_name(kind));
	for (char *const *word = arg; *word != NULL; word++)
		if (limit_parse(*word, values, err) == -1)
			return NULL;
	fl_jsonw_open(&w, NULL, '{');
	for (size_t i = 0; i < fl_json_len(have); i++)
		if (!limit_is_name(fl_json_key_at(have, i)))
			fl_jsonw_value(&w, fl_json_key_at(have, i), fl_json_at(have, i));
	for (enum limit_kind kind = 0; kind < LIMIT_MAX; kind++)
		if (values[kind] > 0)
			fl_jsonw_int(&w, limit_name(kind), values[kind]);
	fl_jsonw_close(&w, '}');
	return "resources";
}

int
cmd_limit_set(struct cli *cli, int argc, char **argv)
{
	const char *app;
	char *id = NULL;
	struct fl_err err;

	if (argc < 3)
		return cli_usage("limit set");
	if ((app = cli_app(cli, &err)) != NULL)
		id = release_with_member(cli, app, argv[1], write_resources, argv + 2, &err);
	return release_say(id, &err);
}
