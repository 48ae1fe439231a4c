#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/env_file.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"

static void
record(const char *name, const char *value, void *arg)
{
	fl_buf_addf(arg, "%s=[%s]", name, value);
}

static void
reads_what_shells_read(FL_UNUSED void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "", "" },
		{ "A=1", "A=[1]" },
		{ "A=1\nB=2\n", "A=[1]B=[2]" },
		{ "\n# comment\n  # another\nA=1 # behind\n", "A=[1]" },
		{ "export A=1\nexport  B=2", "A=[1]B=[2]" },
		{ "A=\nB = 2 \r\n", "A=[]B=[2]" },
		{ "A=x#y z", "A=[x#y z]" },
		{ "\xef\xbb\xbf" "A=1\r\n", "A=[1]" },
		{ "A='it is # $HOME \\n' # behind", "A=[it is # $HOME \\n]" },
		{ "A=\"a\\nb\\t\\\"\\\\\\$\\`\\q\"", "A=[a\nb\t\"\\$`\\q]" },
		{ "A='one\ntwo'\nB=\"three\nfour\"", "A=[one\ntwo]B=[three\nfour]" },
		{ "URL=postgres://u:p@h:5432/db?a=b", "URL=[postgres://u:p@h:5432/db?a=b]" },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct fl_buf got = { 0 };

		env_file_parse(cases[i].text, strlen(cases[i].text), record, &got, NULL);
		assert_string_equal(fl_buf_cstr(&got), cases[i].want);
		fl_buf_release(&got);
	}
}

static void
names_the_line_that_is_wrong(FL_UNUSED void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "A=1\nnonsense\n", "line 2 has no =" },
		{ "A='1\n2'\n3=4", "line 3: \"3\" is no variable name" },
		{ "=x", "line 1: \"\" is no variable name" },
		{ "A=1\nB=\"x\n\n", "line 2: the quote \" is not closed" },
		{ "A='x'y", "line 1: something follows" },
		{ "A=\xff", "it is no text" },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct fl_buf got = { 0 };
		struct fl_err err = { 0 };

		assert_int_equal(env_file_parse(cases[i].text, strlen(cases[i].text), record, &got, &err), -1);
		assert_non_null(strstr(err.msg, cases[i].want));
		fl_buf_release(&got);
	}
	assert_int_equal(env_file_parse("A=\0b", 4, record, NULL, NULL), -1);
}

static void
writes_what_it_reads(FL_UNUSED void **state)
{
	static const char *const values[] = {
		"", "plain", "a b", "#x", "it's", "'", "\"", "a\nb", "it's \"$HOME\" `x` \\ \\n", " x ", "caf\xc3\xa9", "a=b", "tab\there's\n\n",
	};

	for (size_t i = 0; i < fl_nitems(values); i++) {
		struct fl_buf text = { 0 }, got = { 0 }, want = { 0 };

		env_file_write(&text, "A", values[i]);
		record("A", values[i], &want);
		assert_int_equal(env_file_parse(text.data, text.len, record, &got, NULL), 0);
		assert_string_equal(fl_buf_cstr(&got), want.data);
		fl_buf_release(&text);
		fl_buf_release(&got);
		fl_buf_release(&want);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_shells_read),
		cmocka_unit_test(names_the_line_that_is_wrong),
		cmocka_unit_test(writes_what_it_reads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
