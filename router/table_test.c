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

static struct table *
table_of(const char *const keys[], size_t n, struct target *targets[])
{
	struct table *t = table_new(n, 7);

	for (size_t i = 0; i < n; i++) {
		targets[i] = target_new(keys[i], NULL, NULL);
		table_add(t, targets[i]);
	}
	return t;
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
		{ "xample.com", NULL },
		{ "aexample.com", NULL },
		{ "com", NULL },
		{ "", NULL },
		{ ":2222", ":2222" },
	};
	struct target *targets[fl_nitems(keys)];
	struct table *t = table_of(keys, fl_nitems(keys), targets);

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		const struct target *got = table_find_host(t, cases[i].host, strlen(cases[i].host));

		if (cases[i].want == NULL)
			assert_null(got);
		else
			assert_string_equal(got->key, cases[i].want);
	}
	for (size_t i = 0; i < fl_nitems(keys); i++)
		target_free(targets[i]);
	free(t);
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
		targets[i] = target_new(name, NULL, NULL);
		table_add(t, targets[i]);
	}
	for (int i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "app%d.example.com", i);
		assert_ptr_equal(table_find(t, name, strlen(name)), targets[i]);
	}
	assert_null(table_find(t, "app10000.example.com", 20));
	for (int i = 0; i < N; i++)
		target_free(targets[i]);
	free(targets);
	free(t);
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(host_leads_to_exact_name_then_nearest_wildcard),
		cmocka_unit_test(ten_thousand_names_are_all_found),
		cmocka_unit_test(host_is_made_comparable_or_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
