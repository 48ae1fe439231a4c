#include "gitreceive/refs.h"

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

#define NONE "0000000000000000000000000000000000000000"
#define OLD "1111111111111111111111111111111111111111"
#define NEW "abcdef0123456789abcdef0123456789abcdef01"

static int
read_text(const char *text, char commit[REFS_OID_LEN + 1], struct fl_err *err)
{
	FILE *in = *text != '\0' ? fmemopen((char *)text, strlen(text), "r") : fopen("/dev/null", "r");
	int r;

	assert_non_null(in);
	r = refs_read(in, commit, err);
	fclose(in);
	return r;
}

static void
the_deploy_branch_says_what_to_build(FL_UNUSED void **state)
{
	static const struct {
		const char *text, *commit;
	} cases[] = {
		{ NONE " " NEW " refs/heads/master\n", NEW },
		{ OLD " " NEW " refs/heads/main\n", NEW },
		{ OLD " " NEW " refs/heads/main", NEW },
		{ NONE " " OLD " refs/tags/v1\n" OLD " " NEW " refs/heads/master\n", NEW },
		{ OLD " " NEW " refs/heads/master\n" OLD " " NONE " refs/tags/v1\n", NEW },
		{ NONE " " NEW " refs/tags/master\n", "" },
		{ "", "" },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		char commit[REFS_OID_LEN + 1];

		assert_int_equal(read_text(cases[i].text, commit, NULL), 0);
		assert_string_equal(commit, cases[i].commit);
	}
}

static void
other_updates_are_declined_with_a_sentence(FL_UNUSED void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ NONE " " NEW " refs/heads/feature\n",
		    "Branch feature is not deployed: push to master or main, as in git push flynn feature:master." },
		{ NONE " " NEW " refs/heads/master/x\n",
		    "Branch master/x is not deployed: push to master or main, as in git push flynn master/x:master." },
		{ OLD " " NONE " refs/heads/feature\n", "Branch feature is not deployed: push to master or main, as in git push flynn feature:master." },
		{ NONE " " NEW " refs/notes/x\n", "refs/notes/x is not deployed: push to master or main." },
		{ OLD " " NONE " refs/heads/main\n", "Branch main cannot be deleted: it is what runs. flynn delete deletes the app." },
		{ NONE " " NEW " refs/heads/master\n" NONE " " NEW " refs/heads/main\n", "Push either master or main, not both: only one can run." },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		char commit[REFS_OID_LEN + 1];
		struct fl_err err = { 0 };

		assert_int_equal(read_text(cases[i].text, commit, &err), -1);
		assert_int_equal(err.kind, FL_ERR_INVALID);
		assert_string_equal(err.msg, cases[i].want);
	}
}

static void
what_is_no_update_is_refused(FL_UNUSED void **state)
{
	static const char *const cases[] = {
		"\n", "x\n", NONE "\n", NONE " " NEW "\n", NONE "  " NEW " refs/heads/master\n", "0 1 refs/heads/master\n",
		NONE " " NEW "0 refs/heads/master\n", "ABCDEF0123456789abcdef0123456789abcdef01 " NEW " refs/heads/master\n"
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		char commit[REFS_OID_LEN + 1];
		struct fl_err err = { 0 };

		assert_int_equal(read_text(cases[i], commit, &err), -1);
		assert_string_equal(err.msg, "git said something that is no ref update");
	}
}

/* The rest of it must not pass for a line of its own. */
static void
a_line_that_is_too_long_is_refused(FL_UNUSED void **state)
{
	char *text = fl_xasprintf(NONE " " NEW " refs/tags/%08000d\n", 0), commit[REFS_OID_LEN + 1];
	struct fl_err err = { 0 };

	assert_int_equal(read_text(text, commit, &err), -1);
	assert_string_equal(err.msg, "git said something that is no ref update");
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_deploy_branch_says_what_to_build),
		cmocka_unit_test(other_updates_are_declined_with_a_sentence),
		cmocka_unit_test(what_is_no_update_is_refused),
		cmocka_unit_test(a_line_that_is_too_long_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
