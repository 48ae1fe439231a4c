/* procfile - the process types that an app declares. */
#include "slugbuilder/procfile.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/map.h"
#include "libflynn/xmalloc.h"

/* What becomes part of service and host names. */
#define TYPE_MAX_BYTES 63

/* Shown of a line that is wrong. */
#define SHOWN_BYTES 60

struct line {
	const char *s;
	size_t len;
	int number;
};

static bool
is_type_char(char c)
{
	return isalnum((unsigned char)c) || c == '-' || c == '_';
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

static void
trim(struct line *l)
{
	while (l->len > 0 && is_space(*l->s)) {
		l->s++;
		l->len--;
	}
	while (l->len > 0 && is_space(l->s[l->len - 1]))
		l->len--;
}

static int
refuse(const struct line *l, const char *why, struct fl_err *err)
{
	return fl_err_set(err, FL_ERR_INVALID, "Procfile line %d %s: \"%.*s\"", l->number, why,
	    l->len > SHOWN_BYTES ? SHOWN_BYTES : (int)l->len, l->s);
}

static int
parse_line(const struct line *l, struct fl_map *types, struct fl_err *err)
{
	struct line command = *l;
	char name[TYPE_MAX_BYTES + 1];
	size_t n = 0;

	if (memchr(l->s, '\0', l->len) != NULL)
		return fl_err_set(err, FL_ERR_INVALID, "Procfile line %d has a NUL byte; it must be plain text", l->number);
	while (n < l->len && is_type_char(l->s[n]))
		n++;
	command.s += n;
	command.len -= n;
	trim(&command); /* "web : x" is common */
	if (n == 0 || command.len == 0 || *command.s != ':')
		return refuse(l, "is not TYPE: COMMAND", err);
	if (n > TYPE_MAX_BYTES)
		return refuse(l, "has a type of more than 63 characters", err);
	command.s++;
	command.len--;
	trim(&command);
	if (command.len == 0)
		return refuse(l, "has no command", err);
	memcpy(name, l->s, n);
	name[n] = '\0';
	if (fl_map_get(types, name) != NULL)
		return refuse(l, "declares its type a second time", err);
	if (fl_map_count(types) == PROCFILE_MAX_TYPES)
		return refuse(l, "is one type too many (64 are allowed)", err);
	fl_map_set(types, name, fl_xstrndup(command.s, command.len));
	return 0;
}

int
procfile_parse(const char *text, size_t len, struct fl_map *types, struct fl_err *err)
{
	const char *end = text + len;

	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		text += 3;
	for (int number = 1; text < end; number++) {
		const char *nl = memchr(text, '\n', end - text);
		struct line l = { .s = text, .len = (nl != NULL ? nl : end) - text, .number = number };

		text += l.len + 1;
		trim(&l);
		if (l.len == 0 || *l.s == '#')
			continue;
		if (parse_line(&l, types, err) == -1)
			return -1;
	}
	return 0;
}

void
procfile_names(const struct fl_map *types, struct fl_buf *out)
{
	FL_MAP_EACH(types, e)
	{
		if (out->len > 0)
			fl_buf_addstr(out, ", ");
		fl_buf_addstr(out, fl_map_key(e));
	}
}
