#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/client.h"
#include "cli/complete.h"
#include "cli/config.h"
#include "libflynn/attr.h"
#include "libflynn/json.h"

/* Who waits for a list of words waits no longer. */
#define LOOK_MS 1500

static const char bash[] =
    "# flynn(1) in bash: source <(flynn completion bash)\n"
    "_flynn() {\n"
    "\tlocal IFS=$'\\n'\n"
    "\tCOMPREPLY=($(flynn completion words -- \"${COMP_WORDS[@]:1:COMP_CWORD}\" 2>/dev/null))\n"
    "\tif [ \"${COMPREPLY[0]-}\" = :files ]; then\n"
    "\t\tCOMPREPLY=()\n"
    "\t\tcompopt -o default\n"
    "\telif [ \"${COMPREPLY[0]-}\" != \"${COMPREPLY[0]%=}\" ]; then\n"
    "\t\tcompopt -o nospace\n"
    "\tfi\n"
    "}\n"
    "complete -F _flynn flynn\n";

static const char zsh[] =
    "#compdef flynn\n"
    "# flynn(1) in zsh: source <(flynn completion zsh)\n"
    "_flynn() {\n"
    "\tlocal -a found\n"
    "\tfound=(${(f)\"$(flynn completion words -- \"${(@)words[2,CURRENT]}\" 2>/dev/null)\"})\n"
    "\tif [[ ${found[1]} == :files ]]; then\n"
    "\t\t_files\n"
    "\telse\n"
    "\t\tcompadd -- ${found:#*=}\n"
    "\t\tcompadd -S '' -- ${(M)found:#*=}\n"
    "\tfi\n"
    "}\n"
    "if [ \"${funcstack[1]}\" = _flynn ]; then _flynn \"$@\"; else compdef _flynn flynn; fi\n";

/* What the cluster knows, and this moment only: without it there is less to choose from, and no error. */
static struct fl_json *
ask_app(struct cli *cli, const char *rest)
{
	const char *app = cli_app(cli, NULL);

	return app != NULL ? client_app_call(cli, "GET", app, rest, NULL, NULL, NULL) : NULL;
}

static void
add_members(struct complete *c, struct fl_json *list, const char *member)
{
	for (size_t i = 0; i < fl_json_len(list); i++)
		complete_add(c, fl_json_text(fl_json_at(list, i), member), "");
	fl_json_free(list);
}

static void
add_keys(struct complete *c, const struct fl_json *object, const char *end)
{
	for (size_t i = 0; i < fl_json_len(object); i++)
		complete_add(c, fl_json_key_at(object, i), end);
}

static void
add_apps(struct complete *c, struct cli *cli, FL_UNUSED const char *end)
{
	add_members(c, client_get(cli, "/apps", "the list of apps", NULL), "name");
}

static void
add_clusters(struct complete *c, struct cli *cli, FL_UNUSED const char *end)
{
	for (size_t i = 0; i < cli->config->n; i++)
		complete_add(c, cli->config->clusters[i].name, "");
}

static void
add_types(struct complete *c, struct cli *cli, const char *end)
{
	struct fl_json *release = ask_app(cli, "/release");

	add_keys(c, fl_json_get(release, "processes"), end);
	fl_json_free(release);
}

static void
add_variables(struct complete *c, struct cli *cli, const char *end)
{
	struct fl_json *release = ask_app(cli, "/release");

	add_keys(c, fl_json_get(release, "env"), end);
	fl_json_free(release);
}

static void
add_versions(struct complete *c, struct cli *cli, FL_UNUSED const char *end)
{
	struct fl_json *releases = ask_app(cli, "/releases");
	char version[24];

	for (size_t i = 0; i < fl_json_len(releases); i++) {
		snprintf(version, sizeof(version), "v%lld", (long long)fl_json_int(fl_json_get(fl_json_at(releases, i), "version"), 0));
		complete_add(c, version, "");
	}
	fl_json_free(releases);
}

static void
add_jobs(struct complete *c, struct cli *cli, FL_UNUSED const char *end)
{
	struct fl_json *jobs = ask_app(cli, "/jobs");

	for (size_t i = 0; i < fl_json_len(jobs); i++)
		if (strcmp(fl_json_text(fl_json_at(jobs, i), "state"), "up") == 0)
			complete_add(c, fl_json_text(fl_json_at(jobs, i), "id"), "");
	fl_json_free(jobs);
}

static void
add_routes(struct complete *c, struct cli *cli, FL_UNUSED const char *end)
{
	add_members(c, ask_app(cli, "/routes"), "id");
}

static void
add_volumes(struct complete *c, struct cli *cli, FL_UNUSED const char *end)
{
	add_members(c, ask_app(cli, "/volumes"), "id");
}

static void
add_providers(struct complete *c, struct cli *cli, FL_UNUSED const char *end)
{
	add_members(c, client_get(cli, "/providers", "the list of providers", NULL), "name");
}

static void
add_commands(struct complete *c, FL_UNUSED struct cli *cli, FL_UNUSED const char *end)
{
	for (const struct command *command = commands; command->name != NULL; command++)
		if (strchr(command->name, ' ') == NULL)
			complete_add(c, command->name, "");
}

static void
add_files(struct complete *c, FL_UNUSED struct cli *cli, FL_UNUSED const char *end)
{
	fl_buf_addstr(&c->found, ":files\n");
}

/* What the help's words stand for; command: of those only whose names begin with it. */
static const struct {
	const char *command, *meta, *end;
	void (*add)(struct complete *c, struct cli *cli, const char *end);
} sources[] = {
	{ "", "APP", "", add_apps },
	{ "", "CLUSTER", "", add_clusters },
	{ "cluster", "NAME", "", add_clusters },
	{ "help", "COMMAND", "", add_commands },
	{ "env", "NAME", "", add_variables },
	{ "env", "NAME=VALUE", "=", add_variables },
	{ "", "TYPE", "", add_types },
	{ "", "TYPE=COUNT", "=", add_types },
	{ "", "VERSION", "", add_versions },
	{ "", "JOB", "", add_jobs },
	{ "route", "ID", "", add_routes },
	{ "volume", "ID", "", add_volumes },
	{ "", "PROVIDER", "", add_providers },
	{ "", "FILE", "", add_files },
};

static void
add_known(struct complete *c, struct cli *cli)
{
	const char *name = c->command != NULL ? c->command->name : "";

	cli->app_arg = c->app;
	cli->cluster_arg = c->cluster;
	cli->timeout_ms = LOOK_MS;
	for (size_t i = 0; c->meta != NULL && i < fl_nitems(sources); i++)
		if (strcmp(sources[i].meta, c->meta) == 0 && strncmp(name, sources[i].command, strlen(sources[i].command)) == 0) {
			sources[i].add(c, cli, sources[i].end);
			return;
		}
}

int
cmd_completion(struct cli *cli, int argc, char **argv)
{
	struct complete c;

	if (argc == 2 && strcmp(argv[1], "bash") == 0) {
		fputs(bash, stdout);
	} else if (argc == 2 && strcmp(argv[1], "zsh") == 0) {
		fputs(zsh, stdout);
	} else if (argc >= 3 && strcmp(argv[1], "words") == 0 && strcmp(argv[2], "--") == 0) {
		complete_words(&c, argc - 3, argv + 3);
		add_known(&c, cli);
		fputs(fl_buf_cstr(&c.found), stdout);
		complete_release(&c);
	} else {
		return cli_usage("completion");
	}
	return 0;
}
