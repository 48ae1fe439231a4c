#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/words.h"
#include "libflynn/attr.h"
#include "libflynn/err.h"

static int
list_commands(void)
{
	size_t width = 0;

	for (const struct command *c = commands; c->name != NULL; c++)
		if (strlen(c->name) > width)
			width = strlen(c->name);
	printf("usage: flynn [-a APP] [-c CLUSTER] [--json] COMMAND [ARGUMENT ...]\n\n"
	       "  -a APP      the app, or the git remote that deploys to it\n"
	       "  -c CLUSTER  the cluster, of those that flynn cluster lists\n"
	       "  --json      lists as JSON\n\nCommands:\n");
	for (const struct command *c = commands; c->name != NULL; c++)
		printf("  %-*s  %s\n", (int)width, c->name, c->summary);
	printf("\nflynn help COMMAND says more; flynn(1) says all.\n");
	return 0;
}

int
cmd_help(FL_UNUSED struct cli *cli, int argc, char **argv)
{
	const struct command *c;
	struct fl_err err;
	int used;

	if (argc < 2 || strcmp(argv[1], "commands") == 0)
		return list_commands();
	if ((c = words_find(argc - 1, argv + 1, &used, &err)) == NULL) {
		cli_fail(&err);
		return CLI_EXIT_USAGE;
	}
	printf("usage: flynn [-a APP] [-c CLUSTER] %s%s%s\n\n%s.\n", c->name, *c->args != '\0' ? " " : "", c->args, c->summary);
	if (c->help != NULL)
		printf("\n%s", c->help);
	return 0;
}
