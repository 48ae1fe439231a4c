#include "cli/number.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "libflynn/err.h"

/* A number and what is behind it; -1: none, or more than max. */
static long
read_digits(const char *text, long max, const char **rest)
{
	char *end = (char *)text;
	long n = -1;

	errno = 0;
	if (*text != '\0' && strchr("0123456789", *text) != NULL)
		n = strtol(text, &end, 10);
	*rest = end;
	return errno != 0 || n > max ? -1 : n;
}

int
number_read(const char *text, int max)
{
	const char *rest;
	long n = read_digits(text, max, &rest);

	return *rest == '\0' ? (int)n : -1;
}

int
number_read_time(const char *word, const char *text, int max_s, int *seconds, struct fl_err *err)
{
	const char *unit;
	long n = read_digits(text, max_s, &unit);

	if (strcmp(unit, "m") == 0)
		n *= 60;
	else if (*unit != '\0' && strcmp(unit, "s") != 0)
		n = -1;
	if (n < 1 || n > max_s)
		return fl_err_set(err, FL_ERR_INVALID, "%.60s: write, say, 30s or 2m, and no more than %d s", word, max_s);
	*seconds = (int)n;
	return 0;
}
