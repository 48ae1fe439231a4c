#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "libflynn/attr.h"
#include "slugbuilder/ignore.h"

static void
patterns_match_as_git_has_them(FL_UNUSED void **state)
{
	static const struct {
		const char *pattern, *path;
		bool is_dir, want;
	} cases[] = {
		{ "*.psd", "a.psd", false, true }, { "*.psd", "deep/down/a.psd", false, true }, { "*.psd", "a.psd2", false, false },
		{ "test", "test", true, true }, { "test", "src/test", true, true }, { "/test", "src/test", true, false },
		{ "/test", "test", true, true }, { "doc/", "doc", true, true }, { "doc/", "doc", false, false },
		{ "doc/", "a/doc", true, true }, { "a/b", "a/b", false, true }, { "a/b", "x/a/b", false, false },
		{ "/a/*.c", "a/x.c", false, true }, { "a/*.c", "a/b/x.c", false, false }, { "a/**/x", "a/b/c/x", false, true },
		{ "**/x", "a/b/x", false, true }, { "**/x", "x", false, true }, { ".*", ".env", false, true },
		{ "# note", "# note", false, false }, { "!a", "!a", false, false }, { "a \t\r", "a", false, true },
		{ "/", "a", true, false }, { "", "a", false, false }, { "[ab]", "b", false, true }, { "?", "xy", false, false },
		{ "", ".git", true, true }, { "", "sub/.git", false, true }, { "", ".gitignore", false, false },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct ignore *ig = ignore_new(cases[i].pattern, strlen(cases[i].pattern));

		if (ignore_matches(ig, cases[i].path, cases[i].is_dir) != cases[i].want)
			fail_msg("\"%s\" and %s", cases[i].pattern, cases[i].path);
		ignore_free(ig);
	}
}

static void
each_line_is_a_pattern(FL_UNUSED void **state)
{
	static const char text[] = "# a note\r\n\r\nlog\r\n/tmp\r\n*.o";
	struct ignore *ig = ignore_new(text, sizeof(text) - 1);

	assert_true(ignore_matches(ig, "log", true));
	assert_true(ignore_matches(ig, "tmp", true));
	assert_true(ignore_matches(ig, "src/a.o", false));
	assert_false(ignore_matches(ig, "src/tmp", true));
	ignore_free(ig);
}

static void
no_file_ignores_nothing(FL_UNUSED void **state)
{
	struct ignore *ig = ignore_new(NULL, 0);

	assert_false(ignore_matches(ig, "a", false));
	assert_true(ignore_matches(ig, ".git", true));
	ignore_free(ig);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(patterns_match_as_git_has_them),
		cmocka_unit_test(each_line_is_a_pattern),
		cmocka_unit_test(no_file_ignores_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
