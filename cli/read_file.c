#include "cli/read_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libflynn/err.h"
#include "libflynn/xmalloc.h"

char *
read_file(const char *path, size_t max, size_t *len, struct fl_err *err)
{
	FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	char *text = NULL;

	if (f != NULL) {
		text = fl_xmalloc(max + 1);
		*len = fread(text, 1, max + 1, f);
	}
	if (f == NULL || ferror(f)) {
		fl_err_sys(err, "read %s", path);
		free(text);
		text = NULL;
	} else if (*len > max) {
		fl_err_set(err, FL_ERR_TOO_BIG, "%s is larger than %zu KiB", path, max >> 10);
		free(text);
		text = NULL;
	} else {
		text[*len] = '\0';
	}
	if (f != NULL && f != stdin)
		fclose(f);
	return text;
}
