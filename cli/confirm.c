#include "cli/confirm.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int
confirm_options(int argc, char **argv, bool *yes)
{
	static const struct option options[] = { { "yes", no_argument, NULL, 'y' }, { NULL, 0, NULL, 0 } };
	int c;

	*yes = false;
	while ((c = getopt_long(argc, argv, "y", options, NULL)) != -1) {
		if (c != 'y')
			return -1;
		*yes = true;
	}
	return 0;
}

bool
confirm(const char *name, const char *question, ...)
{
	char line[256];
	va_list ap;

	va_start(ap, question);
	vfprintf(stderr, question, ap);
	va_end(ap);
	if (fgets(line, sizeof(line), stdin) != NULL) {
		line[strcspn(line, "\r\n")] = '\0';
		if (strcmp(line, name) == 0)
			return true;
	}
	fprintf(stderr, "Nothing deleted.\n");
	return false;
}
