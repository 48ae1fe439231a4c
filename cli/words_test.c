#include "cli/words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "cli/cli.h"
#include "libflynn/attr.h"
#include "libflynn/err.h"
#include "libflynn/xmalloc.h"

#define MAX_WORDS 8

/* Find the command of a line of words. */
static const struct command *
find(const char *line, int *used, struct fl_err *err)
{
	char *copy = fl_xstrdup(line), *rest = copy, *argv[MAX_WORDS + 1] = { NULL }, *word;
	const struct command *c;
	int argc = 0;

	while (argc < MAX_WORDS && (word = strsep(&rest, " ")) != NULL)
		argv[argc++] = word;
	c = words_find(argc, argv, used, err);
	free(copy);
	return c;
}

static void
every_spelling_finds_its_command(FL_UNUSED void **state)
{
	static const struct {
		const char *line, *name;
		int used;
	} cases[] = {
		{ "apps", "apps", 1 },
		{ "cluster add default https://x k", "cluster add", 2 },
		{ "cluster-add default https://x k", "cluster add", 1 },
		{ "server-add default https://x k", "cluster add", 1 },
		{ "cluster", "cluster", 1 },
		{ "servers", "cluster", 1 },
		{ "clusters", "cluster", 1 },
		{ "cluster -x", "cluster", 1 },
		{ "key add", "key add", 2 },
		{ "key-add", "key add", 1 },
		{ "keys", "key", 1 },
		{ "env", "env", 1 },
		{ "env set A=b", "env set", 2 },
		{ "env-set A=b", "env set", 1 },
		{ "route add http x", "route add http", 3 },
		{ "route-add-http x", "route add http", 1 },
		{ "route add x", "route add", 2 },
		{ "route add -t http x", "route add", 2 },
		{ "route-add x", "route add", 1 },
		{ "routes", "route", 1 },
		{ "route-remove x", "route remove", 1 },
		{ "release-add-docker image tag", "release add", 1 },
		{ "run -- ps", "run", 1 },
		{ "providers", "provider", 1 },
		{ "logs -f", "log", 1 },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		int used = 0;
		const struct command *c = find(cases[i].line, &used, NULL);

		assert_non_null(c);
		assert_string_equal(c->name, cases[i].name);
		assert_int_equal(used, cases[i].used);
	}
}

static void
a_slip_is_met_by_a_suggestion(FL_UNUSED void **state)
{
	static const struct {
		const char *line, *want;
	} cases[] = {
		{ "scael web=3", "there is no command \"scael\": did you mean scale? (flynn help lists all)" },
		{ "route-ad-http x", "there is no command \"route-ad-http\": did you mean route add http? (flynn help lists all)" },
		{ "server-ad x", "there is no command \"server-ad\": did you mean server-add? (flynn help lists all)" },
		{ "pg", "there is no command \"pg\" alone, but: pg dump, pg psql, pg restore" },
		{ "pg backup", "there is no command \"pg\" alone, but: pg dump, pg psql, pg restore" },
		{ "cretae", "there is no command \"cretae\": did you mean create? (flynn help lists all)" },
		{ "xyzzy", "there is no command \"xyzzy\": flynn help lists all" },
		{ "", "there is no command \"\": flynn help lists all" },
		{ "APPS", "there is no command \"APPS\": flynn help lists all" },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct fl_err err = { 0 };
		int used;

		assert_null(find(cases[i].line, &used, &err));
		assert_int_equal(err.kind, FL_ERR_NOT_FOUND);
		assert_string_equal(err.msg, cases[i].want);
	}
}

static void
no_word_means_two_commands(FL_UNUSED void **state)
{
	for (const struct command *c = commands; c->name != NULL; c++) {
		char *aliases = fl_xstrdup(c->aliases != NULL ? c->aliases : c->name), *rest = aliases, *alias;
		int used = 0;

		assert_ptr_equal(find(c->name, &used, NULL), c);
		assert_ptr_equal(words_find(1, (char *[]){ (char *)c->name, NULL }, &used, NULL), c); /* as its help asks */
		while ((alias = strsep(&rest, ",")) != NULL)
			assert_ptr_equal(find(alias, &used, NULL), c);
		free(aliases);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_spelling_finds_its_command),
		cmocka_unit_test(a_slip_is_met_by_a_suggestion),
		cmocka_unit_test(no_word_means_two_commands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
