#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/words.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/xmalloc.h"

/* A guess differs by so much at most, and longer words are not guessed at. */
#define MAX_SLIPS 2
#define MAX_GUESSED 64

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

static bool
same_letter(char a, char b)
{
	return a == b || (a == '-' && b == ' ');
}

/* "route-add-http" for "route add http", or that itself as one word. */
static bool
spelled_together(const char *name, const char *word)
{
	for (; *name != '\0'; name++, word++)
		if (!same_letter(*word, *name))
			return false;
	return *word == '\0';
}

static bool
is_alias(const char *aliases, const char *word)
{
	while (aliases != NULL && *aliases != '\0') {
		size_t len = strcspn(aliases, ",");

		if (strlen(word) == len && strncmp(aliases, word, len) == 0)
			return true;
		aliases += len + (aliases[len] == ',');
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
distance(const char *word, const char *name, size_t len)
{
	size_t *row = fl_xcalloc(len + 1, sizeof(*row)), result;

	for (size_t j = 0; j <= len; j++)
		row[j] = j;
	for (size_t i = 1; word[i - 1] != '\0'; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= len; j++) {
			size_t above = row[j], best = diagonal + !same_letter(word[i - 1], name[j - 1]);

			if (above + 1 < best)
				best = above + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			diagonal = above;
			row[j] = best;
		}
	}
	result = row[len];
	free(row);
	return result;
}

/* What may have been meant: a part of a command's name or aliases. */
struct guess {
	const char *name;
	size_t len, distance;
};

static void
consider(const char *word, const char *name, size_t len, struct guess *g)
{
	size_t d = distance(word, name, len);

	if (d <= MAX_SLIPS && 2 * d <= strlen(word) && (g->name == NULL || d < g->distance))
		*g = (struct guess){ name, len, d };
}

static struct guess
nearest(const char *word)
{
	struct guess g = { 0 };

	for (const struct command *c = commands; c->name != NULL && strlen(word) <= MAX_GUESSED; c++) {
		const char *alias = c->aliases != NULL ? c->aliases : "";

		consider(word, c->name, strlen(c->name), &g);
		while (*alias != '\0') {
			size_t len = strcspn(alias, ",");

			consider(word, alias, len, &g);
			alias += len + (alias[len] == ',');
		}
	}
	return g;
}

bool
words_is_under(const char *name, const char *word)
{
	size_t len = strlen(word);

	return strncmp(name, word, len) == 0 && name[len] == ' ';
}

/* Whether word is the first of several commands, as pg, and no command itself; then with a sentence that names them. */
static bool
is_first_word(const char *word, struct fl_err *err)
{
	struct fl_buf names = { 0 };
	bool found;

	for (const struct command *c = commands; c->name != NULL; c++)
		if (words_is_under(c->name, word))
			fl_buf_addf(&names, "%s%s", names.len > 0 ? ", " : "", c->name);
	if ((found = names.len > 0))
		fl_err_set(err, FL_ERR_NOT_FOUND, "there is no command \"%.64s\" alone, but: %s", word, fl_buf_cstr(&names));
	fl_buf_release(&names);
	return found;
}

const struct command *
words_find(int argc, char *const *argv, int *used, struct fl_err *err)
{
	const struct command *best = NULL;
	struct guess guess;
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
	if (is_first_word(argv[0], err))
		return NULL;
	guess = nearest(argv[0]);
	if (guess.name != NULL)
		fl_err_set(err, FL_ERR_NOT_FOUND, "there is no command \"%.64s\": did you mean %.*s? (flynn help lists all)", argv[0],
		    (int)guess.len, guess.name);
	else
		fl_err_set(err, FL_ERR_NOT_FOUND, "there is no command \"%.64s\": flynn help lists all", argv[0]);
	return NULL;
}
