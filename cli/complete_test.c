#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/cli.h"
#include "cli/complete.h"
#include "libflynn/attr.h"
#include "libflynn/xmalloc.h"

/* The words of a line; the last is what stands behind its last space. */
static struct complete
complete_line(const char *line, char *words[16])
{
	struct complete c;
	int n = 0;

	for (const char *at = line;; at++) {
		size_t len = strcspn(at, " ");

		words[n++] = fl_xstrndup(at, len);
		at += len;
		if (*at == '\0')
			break;
	}
	complete_words(&c, n, words);
	words[n] = NULL;
	return c;
}

static bool
has_line(const char *text, const char *line)
{
	size_t len = strlen(line);

	for (; *text != '\0'; text += strcspn(text, "\n") + 1)
		if (strncmp(text, line, len) == 0 && text[len] == '\n')
			return true;
	return false;
}

static void
the_table_says_what_may_follow(FL_UNUSED void **state)
{
	static const struct {
		const char *line, *has, *lacks, *meta;
	} cases[] = {
		{ "", "env", "env set", NULL },
		{ "sc", "scale", "env", NULL },
		{ "-", "-a", "scale", NULL },
		{ "-a ", NULL, "scale", "APP" },
		{ "-a x -c ", NULL, "scale", "CLUSTER" },
		{ "-a x ro", "route", "scale", NULL },
		{ "env ", "set", "scale", NULL },
		{ "env s", "set", "unset", NULL },
		{ "route add ", "http", "add", "DOMAIN" },
		{ "limit set ", NULL, "set", "TYPE" },
		{ "limit-set web ", "memory=", "TYPE", "memory=SIZE" },
		{ "limit set web memory=1GB c", "cpu=", "memory=", "cpu=MILLI" },
		{ "scale web=1 ", NULL, "-n", "TYPE=COUNT" },
		{ "scale -", "--no-wait", "scale", NULL },
		{ "scale --r", "--release", "--no-wait", NULL },
		{ "scale -r ", NULL, "--release", "RELEASE" },
		{ "env set -f ", NULL, "set", "FILE" },
		{ "route update --no-st", "--no-sticky", "--sticky", NULL },
		{ "route --", "--json", "scale", NULL },
		{ "deploy ", NULL, NULL, NULL },
		{ "deploy --image ", NULL, NULL, "IMAGE" },
		{ "deploy -f ", NULL, NULL, "FILE" },
		{ "rollback ", NULL, NULL, "VERSION" },
		{ "rollback v1 ", NULL, NULL, NULL },
		{ "volume remove -y ", NULL, "attach", "ID" },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		char *words[16];
		struct complete c = complete_line(cases[i].line, words);

		if (cases[i].has != NULL)
			assert_true(has_line(fl_buf_cstr(&c.found), cases[i].has));
		if (cases[i].lacks != NULL)
			assert_false(has_line(fl_buf_cstr(&c.found), cases[i].lacks));
		if (cases[i].meta == NULL)
			assert_null(c.meta);
		else
			assert_string_equal(c.meta, cases[i].meta);
		for (size_t k = 0; words[k] != NULL; k++)
			free(words[k]);
		complete_release(&c);
	}
}

static void
no_word_is_told_twice(FL_UNUSED void **state)
{
	char *words[16];
	struct complete c = complete_line("", words);
	const char *env = strstr(c.found.data, "\nenv\n");

	assert_non_null(env);
	assert_null(strstr(env + 1, "\nenv\n"));
	free(words[0]);
	complete_release(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_says_what_may_follow),
		cmocka_unit_test(no_word_is_told_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
