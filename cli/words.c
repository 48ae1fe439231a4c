#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "libflynn/err.h"
#include "libflynn/xmalloc.h"
#include "words.h"

/* Whether the words spell name (words separated by single spaces), and how many of them. 0: they do not. */
static int
spelled_apart(const char *name, int argc, char *const *argv)
{
	int n = 0;

	while (n < argc) {
		size_t len = strcspn(name, " ");

		if (strlen(argv[n]) != len || strncmp(argv[n], name, len) != 0)
			return 0;
		n++;
		if (name[len] == '\0')
			return n;
		name += len + 1;
	}
	return 0;
}

/* "route-add-http" for "route add http". */
static bool
spelled_together(const char *name, const char *word)
{
	for (; *name != '\0'; name++, word++)
		if (*word != (*name == ' ' ? '-' : *name))
			return false;
	return *word == '\0';
}

static bool
is_alias(const char *aliases, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = aliases; p != NULL; p = strchr(p, ',')) {
		p += *p == ',';
		if (strncmp(p, word, len) == 0 && (p[len] == ',' || p[len] == '\0'))
			return true;
	}
	return false;
}

static int
matches(const struct command *c, int argc, char *const *argv)
{
	int n = spelled_apart(c->name, argc, argv);

	if (n == 0 && (spelled_together(c->name, argv[0]) || is_alias(c->aliases, argv[0])))
		n = 1;
	return n;
}

/* Edit distance, for guessing what was meant. */
static size_t
distance(const char *a, const char *b)
{
	size_t n = strlen(b), *row = fl_xcalloc(n + 1, sizeof(*row)), result;

	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1] != '\0'; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= n; j++) {
			size_t above = row[j], best = diagonal + (a[i - 1] != b[j - 1]);

			if (above + 1 < best)
				best = above + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			diagonal = above;
			row[j] = best;
		}
	}
	result = row[n];
	free(row);
	return result;
}

static const char *
nearest(const char *word)
{
	const char *best = NULL;
	size_t best_distance = 3;

	for (const struct command *c = commands; c->name != NULL; c++) {
		size_t d = distance(word, c->name);

		if (d < best_distance) {
			best_distance = d;
			best = c->name;
		}
	}
	return best;
}

const struct command *
words_find(int argc, char *const *argv, int *used, struct fl_err *err)
{
	const struct command *best = NULL;
	const char *guess;
	int best_score = 0;

	for (const struct command *c = commands; c->name != NULL; c++) {
		int n = matches(c, argc, argv);
		/* Of two that one word spells, the longer name is not better: aliases are unique. */
		if (n > best_score) {
			best_score = n;
			best = c;
		}
	}
	if (best != NULL) {
		*used = best_score;
		return best;
	}
	guess = strlen(argv[0]) < 64 ? nearest(argv[0]) : NULL;
	if (guess != NULL)
		fl_err_set(err, FL_ERR_NOT_FOUND, "there is no command \"%.64s\": did you mean %s? (flynn help lists all)", argv[0], guess);
	else
		fl_err_set(err, FL_ERR_NOT_FOUND, "there is no command \"%.64s\": flynn help lists all", argv[0]);
	return NULL;
}
