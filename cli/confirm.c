#include "cli/confirm.h"

#include <stdio.h>
#include <string.h>

bool
confirm(const char *question, const char *name)
{
	char line[256];

	fprintf(stderr, "%s", question);
	if (fgets(line, sizeof(line), stdin) != NULL) {
		line[strcspn(line, "\r\n")] = '\0';
		if (strcmp(line, name) == 0)
			return true;
	}
	fprintf(stderr, "Nothing deleted.\n");
	return false;
}
