/* Which target a host leads to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "libflynn/attr.h"
#include "router/table.h"

/* "host" or "host/path". */
static struct target *
target_of(const char *text, struct tls_cert *cert)
{
	const char *path = strchr(text, '/');
	char *key = path != NULL ? strndup(text, (size_t)(path - text)) : strdup(text);
	struct target *t = target_new(&(struct target_spec){ .key = key, .path = path, .cert = cert });

	free(key);
	return t;
}

static struct table *
table_of(const char *const keys[], size_t n, struct target *targets[])
{
	struct table *t = table_new(n, 7);

	for (size_t i = 0; i < n; i++)
		table_add(t, targets[i] = target_of(keys[i], NULL));
	return t;
}

static void
free_all(struct table *t, struct target *targets[], size_t n)
{
	for (size_t i = 0; i < n; i++)
		target_free(targets[i]);
	table_free(t);
}

/* "host/path", or "" for none, or "?" for a path that is ambiguous. */
static const char *
find(const struct table *t, const char *host, const char *path)
{
	static char text[2 * TABLE_MAX_KEY];
	bool is_ambiguous = true;
	const struct target *got = table_find_route(t, host, strlen(host), (struct fl_span){ path, strlen(path) }, &is_ambiguous);

	assert_false(got != NULL && is_ambiguous);
	if (got == NULL)
		return is_ambiguous ? "?" : "";
	snprintf(text, sizeof(text), "%s%s", got->key, got->path);
	return text;
}

static void
host_leads_to_exact_name_then_nearest_wildcard(FL_UNUSED void **state)
{
	static const char *const keys[] = { "a.example.com", "*.example.com", "*.b.example.com", "example.com", ":2222" };
	static const struct {
		const char *host, *want;
	} cases[] = {
		{ "a.example.com", "a.example.com" },
		{ "z.example.com", "*.example.com" },
		{ "z.y.example.com", "*.example.com" },
		{ "z.b.example.com", "*.b.example.com" },
		{ "b.example.com", "*.example.com" },
		{ "example.com", "example.com" },
		{ "xample.com", "" },
		{ "aexample.com", "" },
		{ "com", "" },
		{ "", "" },
		{ ":2222", ":2222" },
	};
	struct target *targets[fl_nitems(keys)];
	struct table *t = table_of(keys, fl_nitems(keys), targets);

	for (size_t i = 0; i < fl_nitems(cases); i++)
		assert_string_equal(find(t, cases[i].host, "/"), cases[i].want);
	free_all(t, targets, fl_nitems(keys));
}

static void
longest_path_wins_then_wildcards(FL_UNUSED void **state)
{
	/* In every order of adding. */
	static const char *const keys[] = { "a.com/api", "a.com", "a.com/api/v1", "a.com/b", "b.com/x", "*.com/x", "*.com/x/y", "*.org", "c.org/p" };
	static const struct {
		const char *host, *path, *want;
	} cases[] = {
		{ "a.com", "/", "a.com" },
		{ "a.com", "/api", "a.com/api" },
		{ "a.com", "/api/", "a.com/api" },
		{ "a.com", "/apix", "a.com" },
		{ "a.com", "/api/v1", "a.com/api/v1" },
		{ "a.com", "/api/v1/z", "a.com/api/v1" },
		{ "a.com", "/api/v12", "a.com/api" },
		{ "a.com", "/b/api/v1", "a.com/b" },
		{ "b.com", "/x/y", "b.com/x" }, /* the host goes before the path */
		{ "b.com", "/", "" },
		{ "z.com", "/x/y/z", "*.com/x/y" },
		{ "z.com", "/y", "" },
		{ "z.y.com", "/x", "*.com/x" },
		{ "c.org", "/p", "c.org/p" },
		{ "c.org", "/q", "*.org" },
		{ "d.org", "/p", "*.org" },
	};

	for (size_t shift = 0; shift < fl_nitems(keys); shift++) {
		const char *turned[fl_nitems(keys)];
		struct target *targets[fl_nitems(keys)];
		struct table *t;

		for (size_t i = 0; i < fl_nitems(keys); i++)
			turned[i] = keys[(i * 2 + shift) % fl_nitems(keys)];
		t = table_of(turned, fl_nitems(keys), targets);
		for (size_t i = 0; i < fl_nitems(cases); i++)
			assert_string_equal(find(t, cases[i].host, cases[i].path), cases[i].want);
		free_all(t, targets, fl_nitems(keys));
	}
}

static void
path_that_can_be_another_routes_is_ambiguous(FL_UNUSED void **state)
{
	static const char *const keys[] = { "a.com", "a.com/api", "a.com/b\xc3\xbc", "plain.com" };
	static const struct {
		const char *path, *want;
	} cases[] = {
		{ "/%61pi/x", "a.com/api" },
		{ "/%41pi", "a.com" },
		{ "/b%c3%BC/x", "a.com/b\xc3\xbc" },
		{ "/api/../api/x", "a.com/api" },
		{ "/x/./y", "a.com" },
		{ "/api/a%2Fb", "a.com/api" },
		{ "/x%2Fapi", "a.com" },
		{ "/api/../x", "?" },
		{ "/x/../api", "?" },
		{ "/x/%2e%2e/api", "?" },
		{ "/x/..%2fapi", "?" },
		{ "/api%2f..%2fx", "?" },
		{ "/api%2fx", "?" },
		{ "//api", "?" },
		{ "/x/..;/api", "?" },
		{ "/api;v=1/x", "?" },
		{ "/x/..\\api", "?" },
		{ "/%2561pi", "?" },
		{ "/api%00x", "?" },
		{ "/./api", "?" },
	};
	struct target *targets[fl_nitems(keys)];
	struct table *t = table_of(keys, fl_nitems(keys), targets);

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		assert_string_equal(find(t, "a.com", cases[i].path), cases[i].want);
		assert_string_equal(find(t, "plain.com", cases[i].path), "plain.com"); /* it has nothing to confuse */
	}
	free_all(t, targets, fl_nitems(keys));
}

static void
ten_thousand_names_are_all_found(FL_UNUSED void **state)
{
	enum { N = 10000 };
	struct target **targets = calloc(N, sizeof(struct target *));
	struct table *t = table_new(N, 99);
	char name[32];

	for (int i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "app%d.example.com", i);
		table_add(t, targets[i] = target_of(name, NULL));
	}
	for (int i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "app%d.example.com", i);
		assert_ptr_equal(table_find(t, name, strlen(name)), targets[i]);
	}
	assert_null(table_find(t, "app10000.example.com", 20));
	free_all(t, targets, N);
	free(targets);
}

static void
host_is_made_comparable_or_refused(FL_UNUSED void **state)
{
	static const struct {
		const char *host, *want; /* NULL: refused */
	} cases[] = {
		{ "Example.COM", "example.com" },
		{ "example.com:80", "example.com" },
		{ "example.com:", "example.com" },
		{ "example.com.", "example.com" },
		{ "example.com.:8080", "example.com" },
		{ "127.0.0.1:443", "127.0.0.1" },
		{ "[::1]:80", "[::1]" },
		{ "[2001:DB8::1]", "[2001:db8::1]" },
		{ "under_score.example.com", "under_score.example.com" },
		{ "", NULL },
		{ ":80", NULL },
		{ "example.com:80:80", NULL },
		{ "example.com:http", NULL },
		{ "[::1", NULL },
		{ "[::1]x", NULL },
		{ "a b", NULL },
		{ "a/b", NULL },
		{ "a%2eb", NULL },
		{ "user@host", NULL },
		{ "*.example.com", NULL },
		{ "b\xc3\xbc" "cher.de", NULL },
	};
	char out[TABLE_MAX_KEY + 1], big[300];

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		size_t n = table_normalise_host(cases[i].host, strlen(cases[i].host), out);

		assert_int_equal(n, cases[i].want == NULL ? 0 : strlen(cases[i].want));
		if (n > 0)
			assert_string_equal(out, cases[i].want);
	}
	memset(big, 'a', sizeof(big));
	assert_int_equal(table_normalise_host(big, sizeof(big), out), 0);
	assert_int_equal(table_normalise_host(big, TABLE_MAX_KEY, out), TABLE_MAX_KEY);
}

static void
a_copy_is_added_to_alone(FL_UNUSED void **state)
{
	static const char *const keys[] = { "a.com", "a.com/api", "b.com" };
	struct target *targets[3], *more[2] = { target_of("a.com/api/v2", NULL), target_of("*.c.com", NULL) };
	struct table *t = table_of(keys, 3, targets), *copy;

	assert_null(table_copy(t, TABLE_BLOCK / 2)); /* it would be more than half full */
	assert_non_null(copy = table_copy(t, 2));
	table_add(copy, more[0]);
	table_add(copy, more[1]);
	assert_string_equal(find(copy, "a.com", "/api/v2/x"), "a.com/api/v2");
	assert_string_equal(find(copy, "a.com", "/api/v1"), "a.com/api");
	assert_string_equal(find(copy, "x.c.com", "/"), "*.c.com");
	assert_string_equal(find(copy, "b.com", "/"), "b.com");
	assert_string_equal(find(t, "a.com", "/api/v2/x"), "a.com/api");
	assert_string_equal(find(t, "x.c.com", "/"), "");
	table_free(copy);
	target_free(more[0]);
	target_free(more[1]);
	free_all(t, targets, 3);
}

/* One after another, as routes come: each copy has all that came before, whoever is freed first. */
static void
copies_share_what_they_have_in_common(FL_UNUSED void **state)
{
	enum { N = 2000 };
	struct target *targets[N];
	struct table *t = table_new(N, 7), *first = t;
	char text[32];

	for (size_t i = 0; i < N; i++) {
		struct table *next = table_copy(t, 1);

		snprintf(text, sizeof(text), "h%zu.com%s", i / 2, i % 2 == 0 ? "" : "/api");
		table_add(next, targets[i] = target_of(text, NULL));
		if (t != first)
			table_free(t);
		t = next;
	}
	assert_string_equal(find(first, "h0.com", "/"), "");
	table_free(first);
	for (size_t i = 0; i < N; i++) {
		snprintf(text, sizeof(text), "%s%s", targets[i]->key, targets[i]->path);
		assert_string_equal(find(t, targets[i]->key, i % 2 == 0 ? "/" : "/api/x"), text);
	}
	assert_int_equal(t->n, N);
	free_all(t, targets, N);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(host_leads_to_exact_name_then_nearest_wildcard),
		cmocka_unit_test(a_copy_is_added_to_alone),
		cmocka_unit_test(copies_share_what_they_have_in_common),
		cmocka_unit_test(longest_path_wins_then_wildcards),
		cmocka_unit_test(path_that_can_be_another_routes_is_ambiguous),
		cmocka_unit_test(ten_thousand_names_are_all_found),
		cmocka_unit_test(host_is_made_comparable_or_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
