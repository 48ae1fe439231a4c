/* release - what a buildpack's bin/release says about the app. */
#include "slugbuilder/release.h"

#include <stdlib.h>
#include <string.h>

#include "libflynn/buf.h"
#include "libflynn/map.h"
#include "libflynn/xmalloc.h"

#define MAX_VALUES 1000

/* A double-quoted scalar from behind its first quote; escapes other than these stay as written. */
static char *
read_double_quoted(const char *s, const char *end)
{
	struct fl_buf b = { 0 };

	for (; s < end && *s != '"'; s++) {
		if (*s == '\\' && s + 1 < end && strchr("\"\\/nt", s[1]) != NULL) {
			s++;
			fl_buf_addc(&b, *s == 'n' ? '\n' : *s == 't' ? '\t' : *s);
		} else {
			fl_buf_addc(&b, *s);
		}
	}
	return fl_buf_detach(&b);
}

/* A single-quoted scalar: a quote in it is written twice. */
static char *
read_single_quoted(const char *s, const char *end)
{
	struct fl_buf b = { 0 };

	for (; s < end; s++) {
		if (*s == '\'' && (s + 1 == end || *++s != '\''))
			break;
		fl_buf_addc(&b, *s);
	}
	return fl_buf_detach(&b);
}

/* A plain scalar ends at a comment. */
static char *
read_plain(const char *s, const char *end)
{
	for (const char *p = s; p < end; p++)
		if (*p == '#' && (p == s || p[-1] == ' ' || p[-1] == '\t'))
			end = p;
	while (end > s && strchr(" \t\r", end[-1]) != NULL)
		end--;
	return fl_xstrndup(s, end - s);
}

static char *
read_scalar(const char *s, const char *end)
{
	while (s < end && (*s == ' ' || *s == '\t'))
		s++;
	if (s < end && *s == '"')
		return read_double_quoted(s + 1, end);
	if (s < end && *s == '\'')
		return read_single_quoted(s + 1, end);
	return read_plain(s, end);
}

/* Where "key:" ends: a colon with a blank or the end behind it. */
static const char *
find_colon(const char *s, const char *end)
{
	for (; s < end; s++)
		if (*s == ':' && (s + 1 == end || strchr(" \t\r", s[1]) != NULL))
			return s;
	return NULL;
}

static void
read_member(const char *s, const char *end, struct fl_map *map)
{
	const char *colon = find_colon(s, end);
	char *key, *value;

	if (colon == NULL || memchr(s, '\0', end - s) != NULL || fl_map_count(map) == MAX_VALUES)
		return;
	key = read_scalar(s, colon);
	value = read_scalar(colon + 1, end);
	if (*key != '\0' && *key != '#' && *key != '-')
		free(fl_map_set(map, key, fl_xstrdup(value)));
	free(key);
	free(value);
}

static int
is_key(const char *s, const char *end, const char *key)
{
	size_t len = strlen(key);

	return (size_t)(end - s) > len && memcmp(s, key, len) == 0 && s[len] == ':';
}

void
release_parse(const char *text, size_t len, struct fl_map *config_vars, struct fl_map *process_types)
{
	const char *end = text + len, *next;
	struct fl_map *map = NULL; /* which the indented lines are members of */

	for (const char *s = text; s < end; s = next + 1) {
		const char *word = s;

		if ((next = memchr(s, '\n', end - s)) == NULL)
			next = end;
		while (word < next && (*word == ' ' || *word == '\t'))
			word++;
		if (word == next || *word == '\r' || *word == '#')
			continue;
		if (word == s) {
			map = is_key(s, next, "config_vars") ? config_vars :
			    is_key(s, next, "default_process_types") ? process_types : NULL;
		} else if (map != NULL) {
			read_member(word, next, map);
		}
	}
}
