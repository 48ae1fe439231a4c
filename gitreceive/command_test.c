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
#include "libflynn/xmalloc.h"

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
		char *command = fl_xasprintf("git-receive-pack %s", cases[i].path);
		char *want = fl_xasprintf("Invalid repo \"%s\": the path is /APP.git, as flynn create sets it.", cases[i].named);
		struct fl_err err = { 0 };

		assert_null(command_parse(command, &err));
		assert_int_equal(err.kind, FL_ERR_INVALID);
		assert_string_equal(err.msg, want);
		free(command);
		free(want);
	}
}

static void
a_name_has_a_hundred_letters_at_most(FL_UNUSED void **state)
{
	for (int len = 99; len <= 102; len++) {
		char *command = fl_xasprintf("git-receive-pack '/%0*d.git'", len, 0), *app = command_parse(command, NULL);

		if (len <= 100)
			assert_int_equal(strlen(app), len);
		else
			assert_null(app);
		free(app);
		free(command);
	}
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
