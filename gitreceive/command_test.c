#include "gitreceive/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "libflynn/attr.h"
#include "libflynn/err.h"

static void
every_spelling_of_a_push_names_its_app(FL_UNUSED void **state)
{
	static const char *const cases[] = {
		"git-receive-pack '/example.git'", "git-receive-pack 'example.git'", "git-receive-pack '/example'",
		"git-receive-pack /example.git", "git-receive-pack \"/example.git\"", "git-receive-pack '//example.git/'",
		"git receive-pack '/example.git'", "git-receive-pack  '/example.git'"
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		char *app = command_parse(cases[i], NULL);

		assert_non_null(app);
		assert_string_equal(app, "example");
		free(app);
	}
}

static void
other_commands_are_declined(FL_UNUSED void **state)
{
	static const char *const cases[] = {
		"", "shell", "git-receive-pack", "git-upload-pack '/example.git'", "git-upload-archive '/example.git'",
		"scp -t .", "/usr/bin/git-receive-pack '/example.git'", " git-receive-pack '/example.git'",
		"GIT-RECEIVE-PACK '/example.git'"
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct fl_err err = { 0 };

		assert_null(command_parse(cases[i], &err));
		assert_int_equal(err.kind, FL_ERR_INVALID);
		assert_string_equal(err.msg, "Only `git push` is supported here.");
	}
}

static void
paths_that_are_no_app_are_declined(FL_UNUSED void **state)
{
	static const struct {
		const char *path, *named;
	} cases[] = {
		{ "''", "" },
		{ "'/'", "" },
		{ "'/../etc/passwd'", "../etc/passwd" },
		{ "'/a/b.git'", "a/b" },
		{ "'/A.git'", "A" },
		{ "'/a_b.git'", "a_b" },
		{ "'/a.git.git'", "a.git" },
		{ "'/.git'", ".git" },
		{ "'/a'; rm -rf '/'", "a'; rm -rf" },
		{ "'/$(id).git'", "$(id)" },
		{ "'/a\nb.git'", "a?b" },
		{ "'/\033[2Ja.git'", "?[2Ja" },
		{ "'/\xff.git'", "?" },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		char command[128] = "git-receive-pack ", want[256] = "Invalid repo \"";
		struct fl_err err = { 0 };

		strcat(command, cases[i].path);
		strcat(want, cases[i].named);
		strcat(want, "\": the path is /APP.git, as flynn create sets it.");
		assert_null(command_parse(command, &err));
		assert_int_equal(err.kind, FL_ERR_INVALID);
		assert_string_equal(err.msg, want);
	}
}

static void
a_name_has_a_hundred_letters_at_most(FL_UNUSED void **state)
{
	char command[256] = "git-receive-pack '/", *app;
	size_t at = strlen(command);
	struct fl_err err = { 0 };

	memset(command + at, 'a', 100);
	strcpy(command + at + 100, ".git'");
	assert_non_null(app = command_parse(command, NULL));
	assert_int_equal(strlen(app), 100);
	free(app);
	memset(command + at, 'a', 101);
	strcpy(command + at + 101, ".git'");
	assert_null(command_parse(command, &err));
	assert_int_equal(err.kind, FL_ERR_INVALID);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_spelling_of_a_push_names_its_app),
		cmocka_unit_test(other_commands_are_declined),
		cmocka_unit_test(paths_that_are_no_app_are_declined),
		cmocka_unit_test(a_name_has_a_hundred_letters_at_most),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
