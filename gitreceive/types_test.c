#include "gitreceive/types.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "libflynn/attr.h"
#include "libflynn/buf.h"

static char *
joined(const struct types *t)
{
	struct fl_buf b = { 0 };

	for (size_t i = 0; i < t->n; i++)
		fl_buf_addf(&b, "%s%s", i > 0 ? "|" : "", t->names[i]);
	return fl_buf_detach(&b);
}

static void
the_announcing_line_is_taken_apart(FL_UNUSED void **state)
{
	static const struct {
		const char *output, *want;
	} cases[] = {
		{ "", "" },
		{ "       Procfile declares types -> web, worker\n", "web|worker" },
		{ "\033[1G       Procfile declares types -> web, worker\n", "web|worker" },
		{ "\033[1G       Default types for Node.js -> web\n", "web" },
		{ "npm says something\r\nProcfile declares types -> web,worker\r\nmore\n", "web|worker" },
		{ "Procfile declares types -> web , , \tclock\n", "web|clock" },
		{ "Procfile declares types -> \n", "" },
		{ "Procfile declares types -> web", "" }, /* no whole line */
		{ "Procfile declares types -> old\nProcfile declares types -> new\n", "new" },
		{ "Procfile declares types -> mine\nDefault types for Ruby -> theirs\n", "mine" },
		{ "Default types for Ruby -> theirs\nProcfile declares types -> mine\n", "mine" },
		};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct types t = { 0 };
		char *names;

		types_feed(&t, cases[i].output, strlen(cases[i].output));
		names = joined(&t);
		assert_string_equal(names, cases[i].want);
		free(names);
		types_release(&t);
	}
}

static void
what_a_buildpack_prints_is_no_announcement(FL_UNUSED void **state)
{
	static const char *const cases[] = {
		"       src/types/index.ts -> dist/types/index.js\n", "types: web -> x\n", "web -> types\n",
		"The Procfile declares types -> web\n", "Procfile declares types in a file -> web\n", "Default types for nobody\n",
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct types t = { 0 };

		types_feed(&t, cases[i], strlen(cases[i]));
		assert_int_equal(t.n, 0);
		types_release(&t);
	}
}

static void
pieces_of_any_size_make_the_same_line(FL_UNUSED void **state)
{
	static const char output[] = "noise\n       Procfile declares types -> web, worker\nnoise";

	for (size_t size = 1; size < sizeof(output); size++) {
		struct types t = { 0 };

		for (size_t at = 0; at < strlen(output); at += size)
			types_feed(&t, output + at, strlen(output) - at < size ? strlen(output) - at : size);
		assert_int_equal(t.n, 2);
		assert_string_equal(t.names[0], "web");
		assert_string_equal(t.names[1], "worker");
		types_release(&t);
	}
}

static void
long_lines_and_many_types_are_bounded(FL_UNUSED void **state)
{
	struct fl_buf output = { 0 };
	struct types t = { 0 };

	for (int i = 0; i < 100000; i++)
		fl_buf_addstr(&output, "x");
	fl_buf_addstr(&output, "\nProcfile declares types -> ");
	for (int i = 0; i < 200; i++)
		fl_buf_addf(&output, "t%d,", i);
	fl_buf_addstr(&output, "\n");
	types_feed(&t, output.data, output.len);
	assert_int_equal(t.n, 64);
	assert_string_equal(t.names[63], "t63");
	types_release(&t);
	fl_buf_release(&output);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_announcing_line_is_taken_apart),
		cmocka_unit_test(what_a_buildpack_prints_is_no_announcement),
		cmocka_unit_test(pieces_of_any_size_make_the_same_line),
		cmocka_unit_test(long_lines_and_many_types_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
