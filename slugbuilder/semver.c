/* semver - versions and ranges of npm. */
#include "slugbuilder/semver.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "libflynn/attr.h"
#include "libflynn/err.h"

/* node-semver refuses what a JavaScript number cannot hold; one more must still fit. */
#define PART_MAX ((UINT64_C(1) << 53) - 1)

enum op { OP_EQ, OP_LT, OP_LE, OP_GT, OP_GE, OP_CARET, OP_TILDE };

/* A version of which only the first n parts are given. */
struct partial {
	int n;
	struct semver v;
};

/* One alternative of a range, tested while it is read. */
struct match {
	const struct semver *v;
	bool fits;	/* by all comparators so far */
	bool pre_named; /* a comparator names a pre-release of this very release */
};

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static void
skip_blanks(const char **s)
{
	while (is_blank(**s))
		(*s)++;
}

static int
read_number(const char **s, uint64_t *n)
{
	char *end = NULL;

	if (!isdigit((unsigned char)**s))
		return -1;
	errno = 0;
	*n = strtoull(*s, &end, 10);
	if (errno != 0 || *n > PART_MAX)
		return -1;
	*s = end;
	return 0;
}

static bool
is_identifier_char(char c)
{
	return isalnum((unsigned char)c) || c == '-' || c == '.';
}

/* "-rc.1" into v->pre, "+build" into nothing. */
static int
read_suffix(const char **s, struct semver *v)
{
	size_t len = 0;

	if (**s == '-') {
		(*s)++;
		while (is_identifier_char((*s)[len]))
			len++;
		if (len == 0 || len >= sizeof(v->pre))
			return -1;
		memcpy(v->pre, *s, len);
		v->pre[len] = '\0';
		*s += len;
	}
	if (**s == '+') {
		(*s)++;
		if (!is_identifier_char(**s))
			return -1;
		while (is_identifier_char(**s))
			(*s)++;
	}
	return 0;
}

/* Parts behind an x are wild as well: 1.x.3 is 1.x. */
static int
read_partial(const char **s, struct partial *p)
{
	bool wild = false;
	int i = 0;

	*p = (struct partial){ 0 };
	while (**s == 'v' || **s == '=' || is_blank(**s))
		(*s)++;
	for (;; i++) {
		uint64_t n = 0;

		if (**s == 'x' || **s == 'X' || **s == '*') {
			(*s)++;
			wild = true;
		} else if (read_number(s, &n) == -1) {
			return -1;
		} else if (!wild) {
			p->v.part[i] = n;
			p->n = i + 1;
		}
		if (i == 2 || **s != '.')
			break;
		(*s)++;
	}
	return i == 2 ? read_suffix(s, &p->v) : 0;
}

int
semver_parse(const char *text, struct semver *v)
{
	struct partial p;

	if (read_partial(&text, &p) == -1 || p.n != 3 || *text != '\0')
		return -1;
	*v = p.v;
	return 0;
}

static bool
is_numeric(const char *s, size_t len)
{
	return strspn(s, "0123456789") >= len;
}

/* One dot-separated identifier of each: numbers are below words, and by value. */
static int
cmp_identifier(const char *a, size_t alen, const char *b, size_t blen)
{
	bool anum = is_numeric(a, alen), bnum = is_numeric(b, blen);
	int diff;

	if (anum != bnum)
		return anum ? -1 : 1;
	if (anum && alen != blen)
		return alen < blen ? -1 : 1;
	diff = strncmp(a, b, alen < blen ? alen : blen);
	if (diff != 0 || alen == blen)
		return diff;
	return alen < blen ? -1 : 1;
}

static int
cmp_pre(const char *a, const char *b)
{
	if (*a == '\0' || *b == '\0')
		return (*a == '\0') - (*b == '\0'); /* a release is above its pre-releases */
	for (;;) {
		size_t alen = strcspn(a, "."), blen = strcspn(b, ".");
		int diff = cmp_identifier(a, alen, b, blen);

		if (diff != 0)
			return diff;
		a += alen;
		b += blen;
		if (*a == '\0' || *b == '\0')
			return (*a != '\0') - (*b != '\0');
		a++;
		b++;
	}
}

int
semver_cmp(const struct semver *a, const struct semver *b)
{
	for (size_t i = 0; i < fl_nitems(a->part); i++)
		if (a->part[i] != b->part[i])
			return a->part[i] < b->part[i] ? -1 : 1;
	return cmp_pre(a->pre, b->pre);
}

static enum op
read_op(const char **s)
{
	static const struct {
		const char *text;
		enum op op;
	} ops[] = {
		{ ">=", OP_GE }, { "<=", OP_LE }, { "~>", OP_TILDE }, { ">", OP_GT },
		{ "<", OP_LT }, { "~", OP_TILDE }, { "^", OP_CARET }, { "=", OP_EQ },
	};

	for (size_t i = 0; i < fl_nitems(ops); i++) {
		size_t len = strlen(ops[i].text);

		if (strncmp(*s, ops[i].text, len) == 0) {
			*s += len;
			return ops[i].op;
		}
	}
	return OP_EQ;
}

/* A comparator of a whole version: <, <=, >, >= or =. */
static void
match_one(struct match *m, enum op op, const struct semver *bound)
{
	int diff = semver_cmp(m->v, bound);
	bool fits = false;

	switch (op) {
	case OP_LT:
		fits = diff < 0;
		break;
	case OP_LE:
		fits = diff <= 0;
		break;
	case OP_GT:
		fits = diff > 0;
		break;
	case OP_GE:
		fits = diff >= 0;
		break;
	case OP_EQ:
	case OP_CARET:
	case OP_TILDE:
		fits = diff == 0;
		break;
	}
	m->fits = m->fits && fits;
	if (bound->pre[0] != '\0' && memcmp(bound->part, m->v->part, sizeof(bound->part)) == 0)
		m->pre_named = true;
}

/* The first version in which part i of v is one greater; its pre-releases count to it. */
static struct semver
bumped(const struct semver *v, int i)
{
	struct semver up = { .pre = "0" };

	memcpy(up.part, v->part, sizeof(up.part));
	up.part[i]++;
	while (++i < 3)
		up.part[i] = 0;
	return up;
}

static void
match_between(struct match *m, const struct semver *from, int bump)
{
	struct semver below = bumped(from, bump);

	match_one(m, OP_GE, from);
	match_one(m, OP_LT, &below);
}

/* Which part the next version that ^p no longer admits has changed. */
static int
caret_bump(const struct partial *p)
{
	if (p->v.part[0] > 0 || p->n == 1)
		return 0;
	return p->v.part[1] > 0 || p->n == 2 ? 1 : 2;
}

static void
match_comparator(struct match *m, enum op op, const struct partial *p)
{
	bool whole = p->n == 3;
	struct semver edge = p->v;

	if (p->n == 0) { /* "*": nothing is below or above everything */
		m->fits = m->fits && op != OP_LT && op != OP_GT;
		return;
	}
	switch (op) {
	case OP_CARET:
		match_between(m, &p->v, caret_bump(p));
		break;
	case OP_TILDE:
		match_between(m, &p->v, p->n == 1 ? 0 : 1);
		break;
	case OP_EQ:
		if (whole)
			match_one(m, OP_EQ, &p->v);
		else
			match_between(m, &p->v, p->n - 1);
		break;
	case OP_GE:
		match_one(m, OP_GE, &p->v);
		break;
	case OP_LT:
		if (!whole)
			edge.pre[0] = '0'; /* <1.2 refuses 1.2.0-rc.1 as well */
		match_one(m, OP_LT, &edge);
		break;
	case OP_LE:
		if (!whole)
			edge = bumped(&p->v, p->n - 1);
		match_one(m, whole ? OP_LE : OP_LT, &edge);
		break;
	case OP_GT:
		if (!whole) {
			edge = bumped(&p->v, p->n - 1);
			edge.pre[0] = '\0';
		}
		match_one(m, whole ? OP_GT : OP_GE, &edge);
		break;
	}
}

/* Is this the dash of "1.2 - 2.3"? It stands between blanks. */
static bool
read_hyphen(const char **s)
{
	const char *p = *s;

	if (!is_blank(*p))
		return false;
	skip_blanks(&p);
	if (*p != '-' || !is_blank(p[1]))
		return false;
	*s = p + 1;
	skip_blanks(s);
	return true;
}

static int
match_next(struct match *m, const char **s)
{
	const char *start = *s;
	enum op op = read_op(s);
	bool has_op = *s != start;
	struct partial p;

	skip_blanks(s);
	if (read_partial(s, &p) == -1)
		return -1;
	if (!has_op && read_hyphen(s)) {
		match_comparator(m, OP_GE, &p);
		if (read_partial(s, &p) == -1)
			return -1;
		op = OP_LE;
	}
	match_comparator(m, op, &p);
	return 0;
}

/* One alternative, up to || or the end. */
static int
match_all(const char **s, const struct semver *v)
{
	struct match m = { .v = v, .fits = true };

	for (skip_blanks(s); **s != '\0' && **s != '|'; skip_blanks(s))
		if (match_next(&m, s) == -1)
			return -1;
	return m.fits && (v->pre[0] == '\0' || m.pre_named);
}

int
semver_admits(const char *range, const struct semver *v, struct fl_err *err)
{
	const char *s = range;
	int admits = 0, one;

	for (;;) {
		if ((one = match_all(&s, v)) == -1)
			break;
		admits |= one;
		if (*s == '\0')
			return admits;
		if (s[0] != '|' || s[1] != '|')
			break;
		s += 2;
	}
	return fl_err_set(err, FL_ERR_INVALID, "\"%.100s\" is not a range of versions", range);
}
