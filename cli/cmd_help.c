#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/words.h"
#include "libflynn/attr.h"
#include "libflynn/err.h"

/* Of the commands below word, of all when it is "", the longest name. */
static size_t
longest_under(const char *word)
{
	size_t width = 0;

	for (const struct command *c = commands; c->name != NULL; c++)
		if ((*word == '\0' || words_is_under(c->name, word)) && strlen(c->name) > width)
			width = strlen(c->name);
	return width;
}

static void
print_commands_under(const char *word)
{
	int width = (int)longest_under(word);

	for (const struct command *c = commands; c->name != NULL; c++)
		if (*word == '\0' || words_is_under(c->name, word))
			printf("  %-*s  %s\n", width, c->name, c->summary);
}

static int
list_commands(void)
{
	printf("usage: flynn [-a APP] [-c CLUSTER] [--json] COMMAND [ARGUMENT ...]\n\n"
	       "  -a APP      the app, or the git remote that deploys to it\n"
	       "  -c CLUSTER  the cluster, of those that flynn cluster lists\n"
	       "  --json      lists as JSON\n\nCommands:\n");
	print_commands_under("");
	printf("\nflynn help COMMAND says more; flynn(1) says all.\n");
	return 0;
}

static void
print_aliases(const char *aliases)
{
	printf("\nAlso: ");
	for (const char *s = aliases; *s != '\0'; s++)
		fputs(*s == ',' ? ", " : (char[]){ *s, '\0' }, stdout);
	printf("\n");
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
	if (c->aliases != NULL)
		print_aliases(c->aliases);
	if (longest_under(c->name) > 0) {
		printf("\nAnd:\n");
		print_commands_under(c->name);
	}
	return 0;
}
