#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/map.h"
#include "slugbuilder/procfile.h"

static void
types_are_read_whatever_the_editor_was(FL_UNUSED void **state)
{
	static const struct {
		const char *text, *names, *type, *command;
	} cases[] = {
		{ "web: node web.js\n", "web", "web", "node web.js" },
		{ "web: a\nworker: b", "web, worker", "worker", "b" },
		{ "z: 1\na: 2\n", "z, a", "z", "1" },
		{ "web:\tnode x\t\r\n\r\n# note\r\n \t# note\r\nclock : c\r\n", "web, clock", "web", "node x" },
		{ "\xef\xbb\xbfweb: x\n", "web", "web", "x" },
		{ "web:x\n", "web", "web", "x" },
		{ "  web: x # not a comment\n", "web", "web", "x # not a comment" },
		{ "web: A=b:c exec \"x y\"\n", "web", "web", "A=b:c exec \"x y\"" },
		{ "my-web_2: x\n", "my-web_2", "my-web_2", "x" },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct fl_map *types = fl_map_new();
		struct fl_buf names = { 0 };
		struct fl_err err = { 0 };

		assert_int_equal(procfile_parse(cases[i].text, strlen(cases[i].text), types, &err), 0);
		procfile_names(types, &names);
		assert_string_equal(fl_buf_cstr(&names), cases[i].names);
		assert_string_equal(fl_map_get(types, cases[i].type), cases[i].command);
		fl_buf_release(&names);
		fl_map_free_with(types, free);
	}
}

static void
a_wrong_line_is_named(FL_UNUSED void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "web: a\n\nnonsense\n", "Procfile line 3 is not TYPE: COMMAND: \"nonsense\"" },
		{ ": a\n", "Procfile line 1 is not TYPE: COMMAND: \": a\"" },
		{ "we b: a\n", "Procfile line 1 is not TYPE: COMMAND: \"we b: a\"" },
		{ "# x\nweb:  \n", "Procfile line 2 has no command: \"web:\"" },
		{ "web: a\nweb: b\n", "Procfile line 2 declares its type a second time: \"web: b\"" },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa: x",
		    "Procfile line 1 has a type of more than 63 characters: "
		    "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"" },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct fl_map *types = fl_map_new();
		struct fl_err err = { 0 };

		assert_int_equal(procfile_parse(cases[i].text, strlen(cases[i].text), types, &err), -1);
		assert_int_equal(err.kind, FL_ERR_INVALID);
		assert_string_equal(err.msg, cases[i].want);
		fl_map_free_with(types, free);
	}
}

static void
bytes_that_are_no_text_are_refused(FL_UNUSED void **state)
{
	static const char text[] = "web: a\0b\n";
	struct fl_map *types = fl_map_new();
	struct fl_err err = { 0 };

	assert_int_equal(procfile_parse(text, sizeof(text) - 1, types, &err), -1);
	assert_string_equal(err.msg, "Procfile line 1 has a NUL byte; it must be plain text");
	fl_map_free_with(types, free);
}

static void
types_are_bounded(FL_UNUSED void **state)
{
	struct fl_map *types = fl_map_new();
	struct fl_buf text = { 0 };
	struct fl_err err = { 0 };

	for (int i = 0; i <= PROCFILE_MAX_TYPES; i++)
		fl_buf_addf(&text, "t%d: x\n", i);
	assert_int_equal(procfile_parse(text.data, text.len, types, &err), -1);
	assert_string_equal(err.msg, "Procfile line 65 is one type too many (64 are allowed): \"t64: x\"");
	fl_buf_release(&text);
	fl_map_free_with(types, free);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(types_are_read_whatever_the_editor_was),
		cmocka_unit_test(a_wrong_line_is_named),
		cmocka_unit_test(bytes_that_are_no_text_are_refused),
		cmocka_unit_test(types_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
