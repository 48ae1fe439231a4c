#include "cli/limit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "libflynn/attr.h"
#include "libflynn/err.h"

/* Of less the engine makes no container. */
#define MEMORY_MIN ((int64_t)6 << 20)
#define MEMORY_MAX ((int64_t)1 << 50)
#define CPU_MIN 10
#define CPU_MAX 1000000

static const char *const names[LIMIT_MAX] = { "memory", "cpu" };

/* The largest first. */
static const struct {
	const char *name;
	int shift;
} units[] = { { "GB", 30 }, { "MB", 20 }, { "KB", 10 }, { "G", 30 }, { "M", 20 }, { "K", 10 }, { "B", 0 }, { "", 0 } };

const char *
limit_name(enum limit_kind kind)
{
	return names[kind];
}

bool
limit_is_name(const char *name)
{
	for (enum limit_kind kind = 0; kind < LIMIT_MAX; kind++)
		if (strcmp(names[kind], name) == 0)
			return true;
	return false;
}

/* A whole number and what follows it; -1: none. */
static int64_t
number(const char *text, char **rest)
{
	long long n;

	errno = 0;
	n = strtoll(text, rest, 10);
	return strchr("0123456789", *text) == NULL || *text == '\0' || errno != 0 ? -1 : n;
}

static int
parse_memory(const char *text, int64_t *out, struct fl_err *err)
{
	char *rest;
	int64_t n = number(text, &rest);

	for (size_t i = 0; n >= 0 && i < fl_nitems(units); i++) {
		if (strcasecmp(rest, units[i].name) != 0)
			continue;
		if (n > MEMORY_MAX >> units[i].shift)
			break;
		*out = n << units[i].shift;
		if (*out < MEMORY_MIN)
			return fl_err_set(err, FL_ERR_INVALID, "memory=%s is too little: a job needs 6MB at least", text);
		return 0;
	}
	return fl_err_set(err, FL_ERR_INVALID, "memory=%.40s is no size: write, say, memory=512MB, or memory=none", text);
}

static int
parse_cpu(const char *text, int64_t *out, struct fl_err *err)
{
	char *rest;
	int64_t n = number(text, &rest);

	if (n < CPU_MIN || n > CPU_MAX || *rest != '\0')
		return fl_err_set(err, FL_ERR_INVALID,
		    "cpu=%.40s is no number of thousandths of a CPU from %d to %d: write, say, cpu=500, or cpu=none", text, CPU_MIN, CPU_MAX);
	*out = n;
	return 0;
}

int
limit_parse(const char *word, int64_t values[LIMIT_MAX], struct fl_err *err)
{
	for (enum limit_kind kind = 0; kind < LIMIT_MAX; kind++) {
		size_t len = strlen(names[kind]);
		const char *text = word + len + 1;

		if (strncmp(word, names[kind], len) != 0 || word[len] != '=')
			continue;
		if (strcmp(text, "none") == 0) {
			values[kind] = 0;
			return 0;
		}
		return (kind == LIMIT_MEMORY ? parse_memory : parse_cpu)(text, &values[kind], err);
	}
	return fl_err_set(err, FL_ERR_INVALID, "\"%.60s\" is no limit: write memory=SIZE or cpu=MILLI", word);
}

const char *
limit_text(enum limit_kind kind, int64_t value, char out[LIMIT_TEXT])
{
	size_t i = 0;

	if (value == 0)
		return "none";
	while (kind == LIMIT_MEMORY && units[i].shift > 0 && value % ((int64_t)1 << units[i].shift) != 0)
		i++;
	if (kind == LIMIT_MEMORY)
		snprintf(out, LIMIT_TEXT, "%lld%s", (long long)(value >> units[i].shift), units[i].name);
	else
		snprintf(out, LIMIT_TEXT, "%lld", (long long)value);
	return out;
}
