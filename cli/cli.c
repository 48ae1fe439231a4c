#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

const char *
cli_variable(const char *name)
{
	const char *value = getenv(name);

	return value != NULL && *value != '\0' ? value : NULL;
}

void
cli_put(FILE *f, const char *text, const char *line_break)
{
	for (; *text != '\0'; text++) {
		if (*text == '\n')
			fputs(line_break, f);
		else
			putc(isspace((unsigned char)*text) ? ' ' : iscntrl((unsigned char)*text) ? '?' : *text, f);
	}
}

int
cli_fail(const struct fl_err *err)
{
	fputs("flynn: ", stderr);
	cli_put(stderr, err->msg, "\n       ");
	putc('\n', stderr);
	return CLI_EXIT_FAILED;
}

int
cli_usage(const char *name)
{
	for (const struct command *c = commands; c->name != NULL; c++)
		if (strcmp(c->name, name) == 0)
			fprintf(stderr, "usage: flynn [-a APP] [-c CLUSTER] %s%s%s\n       flynn help %s\n", c->name,
			    *c->args != '\0' ? " " : "", c->args, c->name);
	return CLI_EXIT_USAGE;
}
