#include "cli/env_file.h"

#include <stdlib.h>
#include <string.h>

#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/utf8.h"
#include "libflynn/xmalloc.h"

static const char name_letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";

/* What a shell leaves as it stands. */
static const char plain_letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789./:@%+=,-";

struct reader {
	const char *at; /* NUL-terminated */
	int line;
	struct fl_buf value;
};

int
env_file_check_name(const char *name, struct fl_err *err)
{
	if (*name == '\0' || strchr("0123456789", *name) != NULL || name[strspn(name, name_letters)] != '\0')
		return fl_err_set(err, FL_ERR_INVALID,
		    "\"%.60s\" is no variable name: names have letters, digits and _, and do not begin with a digit", name);
	return 0;
}

static void
skip_blanks(struct reader *r)
{
	r->at += strspn(r->at, " \t\r");
}

/* What a backslash and c mean between double quotes; 0: a backslash and c. */
static char
unescape(char c)
{
	switch (c) {
	case 'n':
		return '\n';
	case 'r':
		return '\r';
	case 't':
		return '\t';
	case '"':
	case '\\':
	case '$':
	case '`':
		return c;
	}
	return 0;
}

static int
read_quoted(struct reader *r, struct fl_err *err)
{
	char quote = *r->at++, c;
	int begun = r->line;

	for (; *r->at != quote; r->at++) {
		if (*r->at == '\0')
			return fl_err_set(err, FL_ERR_INVALID, "line %d: the quote %c is not closed", begun, quote);
		if (*r->at == '\\' && quote == '"' && (c = unescape(r->at[1])) != 0) {
			fl_buf_addc(&r->value, c);
			r->at++;
			continue;
		}
		r->line += *r->at == '\n';
		fl_buf_addc(&r->value, *r->at);
	}
	r->at++;
	skip_blanks(r);
	if (*r->at != '\0' && *r->at != '\n' && *r->at != '#')
		return fl_err_set(err, FL_ERR_INVALID, "line %d: something follows the closing quote: quote all of the value", r->line);
	return 0;
}

static void
read_plain(struct reader *r)
{
	size_t len = 0, end = strcspn(r->at, "\n");

	for (size_t i = 0; i < end; i++) {
		if (r->at[i] == '#' && (i == 0 || strchr(" \t", r->at[i - 1]) != NULL))
			break;
		if (strchr(" \t\r", r->at[i]) == NULL)
			len = i + 1;
	}
	fl_buf_add(&r->value, r->at, len);
}

static char *
read_name(struct reader *r, struct fl_err *err)
{
	size_t len = strcspn(r->at, "=\n"), used = len;
	struct fl_err why;
	char *name;

	if (r->at[len] != '=') {
		fl_err_set(err, FL_ERR_INVALID, "line %d has no =: write NAME=VALUE", r->line);
		return NULL;
	}
	while (used > 0 && strchr(" \t", r->at[used - 1]) != NULL)
		used--;
	name = fl_xstrndup(r->at, used);
	r->at += len + 1;
	if (env_file_check_name(name, &why) == 0)
		return name;
	free(name);
	fl_err_set(err, FL_ERR_INVALID, "line %d: %s", r->line, why.msg);
	return NULL;
}

/* A line that has something in it, or several of them. */
static int
read_variable(struct reader *r, void (*add)(const char *name, const char *value, void *arg), void *arg, struct fl_err *err)
{
	static const char export[] = "export ";
	char *name;
	int ok = 0;

	if (strncmp(r->at, export, strlen(export)) == 0) {
		r->at += strlen(export);
		skip_blanks(r);
	}
	if ((name = read_name(r, err)) == NULL)
		return -1;
	fl_buf_release(&r->value);
	skip_blanks(r);
	if (*r->at == '"' || *r->at == '\'')
		ok = read_quoted(r, err);
	else
		read_plain(r);
	if (ok == 0)
		add(name, fl_buf_cstr(&r->value), arg);
	free(name);
	return ok;
}

int
env_file_parse(const char *text, size_t len, void (*add)(const char *name, const char *value, void *arg), void *arg,
    struct fl_err *err)
{
	char *copy;
	struct reader r = { .line = 1 };
	int ok = 0;

	if (memchr(text, '\0', len) != NULL || !fl_utf8_valid(text, len))
		return fl_err_set(err, FL_ERR_INVALID, "it is no text in UTF-8");
	copy = fl_xstrndup(text, len);
	r.at = copy + (strncmp(copy, "\xef\xbb\xbf", 3) == 0 ? 3 : 0); /* the mark that Windows' editors begin a file with */
	for (; ok == 0 && *r.at != '\0'; r.at += *r.at == '\n', r.line++) {
		skip_blanks(&r);
		if (*r.at != '#' && *r.at != '\n' && *r.at != '\0')
			ok = read_variable(&r, add, arg, err);
		r.at += strcspn(r.at, "\n");
	}
	fl_buf_release(&r.value);
	free(copy);
	return ok;
}

void
env_file_write(struct fl_buf *b, const char *name, const char *value)
{
	fl_buf_addf(b, "%s=", name);
	if (value[strspn(value, plain_letters)] == '\0') {
		fl_buf_addstr(b, value);
	} else if (strchr(value, '\'') == NULL) {
		fl_buf_addf(b, "'%s'", value);
	} else {
		fl_buf_addstr(b, "\"");
		for (; *value != '\0'; value++) {
			if (strchr("\"\\$`", *value) != NULL)
				fl_buf_addstr(b, "\\");
			fl_buf_addc(b, *value);
		}
		fl_buf_addstr(b, "\"");
	}
	fl_buf_addstr(b, "\n");
}
