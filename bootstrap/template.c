#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "bootstrap/template.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/json.h"
#include "libflynn/xmalloc.h"

/* One parsed expression: either an environment variable or a step's field. */
struct expr {
	char *getenv;
	char *step, *field;
};

static void
expr_release(struct expr *e)
{
	free(e->getenv);
	free(e->step);
	free(e->field);
}

static void
skip_space(const char **p)
{
	*p += strspn(*p, " \t\n");
}

static bool
take(const char **p, const char *word)
{
	size_t len = strlen(word);

	skip_space(p);
	if (strncmp(*p, word, len) != 0)
		return false;
	*p += len;
	return true;
}

static char *
take_quoted(const char **p)
{
	const char *end;
	char *s;

	if (!take(p, "\"") || (end = strchr(*p, '"')) == NULL)
		return NULL;
	s = fl_xstrndup(*p, (size_t)(end - *p));
	*p = end + 1;
	return s;
}

static char *
take_name(const char **p)
{
	size_t len = strspn(*p, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");
	char *s = len > 0 ? fl_xstrndup(*p, len) : NULL;

	*p += len;
	return s;
}

/* Parse what stands between {{ and }}. */
static bool
expr_parse(const char *text, struct expr *e)
{
	const char *p = text;

	*e = (struct expr){ 0 };
	if (take(&p, "getenv ")) {
		e->getenv = take_quoted(&p);
	} else if (take(&p, "(") && take(&p, "index ") && take(&p, ".StepData ")) {
		e->step = take_quoted(&p);
		if (take(&p, ")") && take(&p, "."))
			e->field = take_name(&p);
	}
	skip_space(&p);
	if (*p == '\0' && (e->getenv != NULL || (e->step != NULL && e->field != NULL)))
		return true;
	expr_release(e);
	return false;
}

/*
 * The next {{ expression }} in text: sets *start to its braces and *end behind them, and returns what
 * is between (caller frees); NULL when there is none (*start is then the end of text or an open brace).
 */
static char *
next_expr(const char *text, const char **start, const char **end)
{
	const char *close;

	if ((*start = strstr(text, "{{")) == NULL) {
		*start = text + strlen(text);
		return NULL;
	}
	if ((close = strstr(*start, "}}")) == NULL)
		return NULL;
	*end = close + 2;
	return fl_xstrndup(*start + 2, (size_t)(close - *start - 2));
}

static int
expand_one(const char *inner, struct fl_buf *out, template_lookup lookup, void *arg, struct fl_err *err)
{
	const char *value;
	struct expr e;
	int r = 0;

	if (!expr_parse(inner, &e))
		return fl_err_set(err, FL_ERR_INVALID,
		    "template {{%s}} is not understood: use getenv \"NAME\" or (index .StepData \"step\").Field", inner);
	if (e.getenv != NULL) {
		value = getenv(e.getenv);
		fl_buf_addstr(out, value != NULL ? value : "");
	} else if ((value = lookup(e.step, e.field, arg)) != NULL) {
		fl_buf_addstr(out, value);
	} else {
		r = fl_err_set(err, FL_ERR_INVALID, "template {{%s}}: step %s has no %s", inner, e.step, e.field);
	}
	expr_release(&e);
	return r;
}

int
template_expand(const char *text, struct fl_buf *out, template_lookup lookup, void *arg, struct fl_err *err)
{
	const char *start, *end = NULL;
	char *inner;
	int r;

	while ((inner = next_expr(text, &start, &end)) != NULL) {
		fl_buf_add(out, text, (size_t)(start - text));
		r = expand_one(inner, out, lookup, arg, err);
		free(inner);
		if (r == -1)
			return -1;
		text = end;
	}
	if (*start != '\0')
		return fl_err_set(err, FL_ERR_INVALID, "template \"%.60s\" has {{ without }}", start);
	fl_buf_addstr(out, text);
	return 0;
}

struct expansion {
	struct fl_jsonw w;
	template_lookup lookup;
	void *arg;
	struct fl_err *err;
};

static int
expand_value(struct expansion *x, const char *key, const struct fl_json *v)
{
	bool object = fl_json_type(v) == FL_JSON_OBJECT;
	struct fl_buf text = { 0 };
	int r = 0;

	if (fl_json_type(v) == FL_JSON_STRING) {
		r = template_expand(fl_json_str(v, ""), &text, x->lookup, x->arg, x->err);
		fl_jsonw_str(&x->w, key, fl_buf_cstr(&text));
		fl_buf_release(&text);
	} else if (object || fl_json_type(v) == FL_JSON_ARRAY) {
		fl_jsonw_open(&x->w, key, object ? '{' : '[');
		for (size_t i = 0; r == 0 && i < fl_json_len(v); i++)
			r = expand_value(x, object ? fl_json_key_at(v, i) : NULL, fl_json_at(v, i));
		fl_jsonw_close(&x->w, object ? '}' : ']');
	} else {
		fl_jsonw_value(&x->w, key, v);
	}
	return r;
}

struct fl_json *
template_expand_json(const struct fl_json *v, template_lookup lookup, void *arg, struct fl_err *err)
{
	struct fl_buf text = { 0 };
	struct expansion x = { fl_jsonw(&text), lookup, arg, err };
	struct fl_json *expanded = NULL;

	if (expand_value(&x, NULL, v) == 0)
		expanded = fl_json_parse(text.data, text.len, err);
	fl_buf_release(&text);
	return expanded;
}

void
template_steps(const char *text, void (*used)(const char *step, void *arg), void *arg)
{
	const char *start, *end = NULL;
	struct expr e;
	char *inner;

	for (; (inner = next_expr(text, &start, &end)) != NULL; text = end) {
		if (expr_parse(inner, &e)) {
			if (e.step != NULL)
				used(e.step, arg);
			expr_release(&e);
		}
		free(inner);
	}
}
