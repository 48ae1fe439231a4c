#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "libflynn/attr.h"
#include "libflynn/map.h"
#include "slugbuilder/release.h"

struct read {
	struct fl_map *vars, *types;
};

static struct read
parse(const char *text)
{
	struct read r = { fl_map_new(), fl_map_new() };

	release_parse(text, strlen(text), r.vars, r.types);
	return r;
}

static void
release_read(struct read *r)
{
	fl_map_free_with(r->vars, free);
	fl_map_free_with(r->types, free);
}

static void
both_maps_are_read_and_others_skipped(FL_UNUSED void **state)
{
	struct read r = parse("--- # from a buildpack\r\n"
			      "addons:\n  - heroku-postgresql\n  web: not this\n"
			      "config_vars:\n  RACK_ENV: production\n\n  # note\n  EMPTY:\n"
			      "default_process_types:\n  web: npm start\n  worker: a: b\n"
			      "other: {x: y}\n  z: 1\n");

	assert_int_equal(fl_map_count(r.vars), 2);
	assert_string_equal(fl_map_get(r.vars, "RACK_ENV"), "production");
	assert_string_equal(fl_map_get(r.vars, "EMPTY"), "");
	assert_int_equal(fl_map_count(r.types), 2);
	assert_string_equal(fl_map_get(r.types, "web"), "npm start");
	assert_string_equal(fl_map_get(r.types, "worker"), "a: b");
	release_read(&r);
}

static void
scalars_are_read_as_yaml_has_them(FL_UNUSED void **state)
{
	static const struct {
		const char *line, *want;
	} cases[] = {
		{ "a: plain text", "plain text" }, { "a: plain # comment", "plain" }, { "a: x#y", "x#y" },
		{ "a: \"double # \\\"quoted\\\"\"", "double # \"quoted\"" }, { "a: \"tab\\tnl\\n\"", "tab\tnl\n" },
		{ "a: 'single ''quoted'''  # c", "single 'quoted'" }, { "a: '\\n'", "\\n" }, { "\"a\": q", "q" },
		{ "a:   trailing  ", "trailing" }, { "a: \"open", "open" }, { "a:\ttabbed", "tabbed" },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		char text[128] = "config_vars:\n  ";
		struct read r;

		strncat(text, cases[i].line, sizeof(text) - strlen(text) - 1);
		r = parse(text);
		assert_string_equal(fl_map_get(r.vars, "a"), cases[i].want);
		release_read(&r);
	}
}

static void
nothing_is_made_of_nothing(FL_UNUSED void **state)
{
	static const char *const cases[] = { "", "---\n", "--- {}\n", "config_vars: {}\n", "default_process_types:\n",
		"config_vars:\n  - a\n  -b: c\n  : d\n  nocolon\n", "\n\n\r\n", "  web: x\n" };

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct read r = parse(cases[i]);

		assert_int_equal(fl_map_count(r.vars) + fl_map_count(r.types), 0);
		release_read(&r);
	}
}

static void
the_last_of_two_counts(FL_UNUSED void **state)
{
	struct read r = parse("config_vars:\n  a: 1\n  a: 2\n");

	assert_string_equal(fl_map_get(r.vars, "a"), "2");
	release_read(&r);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_maps_are_read_and_others_skipped),
		cmocka_unit_test(scalars_are_read_as_yaml_has_them),
		cmocka_unit_test(nothing_is_made_of_nothing),
		cmocka_unit_test(the_last_of_two_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
