#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/table.h"
#include "libflynn/attr.h"
#include "libflynn/clock.h"
#include "libflynn/xmalloc.h"

#define GAP 2

struct table {
	size_t columns, rows;
	char **cells; /* rows * columns, the heads first */
	size_t *width;
};

/* Columns that text takes: characters of UTF-8, not bytes. */
static size_t
width_of(const char *text)
{
	size_t n = 0;

	for (; *text != '\0'; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static void
set_cell(struct table *t, size_t row, size_t column, const char *text)
{
	char *copy = fl_xstrdup(text != NULL ? text : "");

	t->cells[row * t->columns + column] = copy;
	if (width_of(copy) > t->width[column])
		t->width[column] = width_of(copy);
}

static size_t
add_row(struct table *t)
{
	t->cells = fl_xreallocarray(t->cells, (t->rows + 1) * t->columns, sizeof(*t->cells));
	return t->rows++;
}

struct table *
table_new(const char *const *heads)
{
	struct table *t = fl_xcalloc(1, sizeof(*t));

	while (heads[t->columns] != NULL)
		t->columns++;
	t->width = fl_xcalloc(t->columns, sizeof(*t->width));
	add_row(t);
	for (size_t i = 0; i < t->columns; i++)
		set_cell(t, 0, i, heads[i]);
	return t;
}

void
table_row(struct table *t, ...)
{
	size_t row = add_row(t);
	va_list ap;

	va_start(ap, t);
	for (size_t i = 0; i < t->columns; i++)
		set_cell(t, row, i, va_arg(ap, const char *));
	va_end(ap);
}

bool
table_colours(void)
{
	const char *term = cli_variable("TERM");

	return isatty(STDOUT_FILENO) && cli_variable("NO_COLOR") == NULL && term != NULL && strcmp(term, "dumb") != 0;
}

#define RESET "\033[0m"
#define BOLD "\033[1m"

/* NULL: none. */
static const char *
colour_of(const char *cell)
{
	static const struct {
		const char *word, *colour;
	} states[] = {
		{ "up", "\033[32m" }, { "starting", "\033[33m" }, { "pending", "\033[33m" },
		{ "crashed", "\033[31m" }, { "failed", "\033[31m" }, { "down", "\033[2m" },
	};

	for (size_t i = 0; i < fl_nitems(states); i++)
		if (strcmp(states[i].word, cell) == 0)
			return states[i].colour;
	return NULL;
}

static void
print_coloured(const char *text, const char *colour)
{
	if (colour != NULL)
		printf("%s%s" RESET, colour, text);
	else
		fputs(text, stdout);
}

/* Padded to width, in the colour that lists give it. */
static void
print_state(const char *state, int width)
{
	print_coloured(state, table_colours() ? colour_of(state) : NULL);
	printf("%*s", width > (int)strlen(state) ? width - (int)strlen(state) : 0, "");
}

void
table_print_job(const char *type, const char *state, const char *job_id, FL_UNUSED void *arg)
{
	printf("%-10s ", type);
	print_state(state, 9);
	printf(" %s\n", job_id);
	fflush(stdout);
}

static void
print_row(const struct table *t, size_t row, bool colours)
{
	char *const *cells = &t->cells[row * t->columns];
	size_t n = t->columns;

	while (n > 0 && *cells[n - 1] == '\0')
		n--; /* no spaces behind the last that says something */
	for (size_t i = 0; i < n; i++) {
		print_coloured(cells[i], !colours ? NULL : row == 0 ? BOLD : colour_of(cells[i]));
		if (i + 1 < n)
			printf("%*s", (int)(t->width[i] - width_of(cells[i]) + GAP), "");
	}
	putchar('\n');
}

void
table_print(struct table *t)
{
	bool colours = table_colours();

	for (size_t i = 0; t->rows > 1 && i < t->rows; i++)
		print_row(t, i, colours);
	for (size_t i = 0; i < t->rows * t->columns; i++)
		free(t->cells[i]);
	free(t->cells);
	free(t->width);
	free(t);
}

const char *
table_age(const char *rfc3339, char *buf, size_t size)
{
	static const struct {
		const char *unit;
		int64_t seconds;
	} units[] = { { "day", 86400 }, { "hour", 3600 }, { "minute", 60 }, { "second", 1 } };
	int64_t then, age;

	*buf = '\0';
	if (rfc3339 == NULL || fl_clock_parse(rfc3339, &then) == -1)
		return buf;
	age = (fl_clock_wall_us() - then) / 1000000;
	for (size_t i = 0; i < fl_nitems(units); i++) {
		int64_t n = age / units[i].seconds;

		if (n > 0 || units[i].seconds == 1) {
			snprintf(buf, size, "%lld %s%s", (long long)(n > 0 ? n : 0), units[i].unit, n == 1 ? "" : "s");
			break;
		}
	}
	return buf;
}
