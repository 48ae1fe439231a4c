#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <unistd.h>

#include "libflynn/attr.h"
#include "slugbuilder/output.h"

#define AT "\033[1G"

struct printed {
	int fds[2];
	struct output out;
	char text[20000];
};

static struct printed *
printed(void **state)
{
	return *state;
}

static int
setup(void **state)
{
	static struct printed p;

	p = (struct printed){ 0 };
	if (pipe(p.fds) == -1)
		return -1;
	p.out.fd = p.fds[1];
	*state = &p;
	return 0;
}

static int
teardown(void **state)
{
	close(printed(state)->fds[0]);
	return 0;
}

static const char *
text(struct printed *p)
{
	size_t len = 0;
	ssize_t n;

	close(p->fds[1]);
	while ((n = read(p->fds[0], p->text + len, sizeof(p->text) - 1 - len)) > 0)
		len += n;
	p->text[len] = '\0';
	return p->text;
}

static void
titles_texts_and_problems_line_up(void **state)
{
	const struct output *out = &printed(state)->out;

	output_title(out, "Building %s", "x");
	output_text(out, "line %d", 1);
	output_problem(out, "no");
	assert_string_equal(text(printed(state)), AT "-----> Building x\n" AT "       line 1\n" AT " !     no\n");
}

static void
a_programs_lines_are_indented_however_they_come(void **state)
{
	static const char said[] = "one\n-----> two\n !     bad\nthr";
	struct output_lines lines = { .out = &printed(state)->out };

	for (size_t i = 0; i < sizeof(said) - 1; i++)
		output_lines_add(&lines, said + i, 1);
	output_lines_add(&lines, "ee\r\n10%\r50%\r100%\n\nlast", 22);
	output_lines_end(&lines);
	assert_string_equal(text(printed(state)),
	    AT "       one\n" AT "-----> two\n" AT " !     bad\n" AT "       three\n" AT "       100%\n" AT "       \n"
	    AT "       last\n");
}

static void
a_line_without_end_is_cut(void **state)
{
	struct output_lines lines = { .out = &printed(state)->out };
	char piece[1000];
	size_t most = 0;

	memset(piece, 'x', sizeof(piece));
	for (int i = 0; i < 10; i++)
		output_lines_add(&lines, piece, sizeof(piece));
	output_lines_end(&lines);
	for (const char *s = text(printed(state)); *s != '\0'; s += strcspn(s, "\n") + 1)
		most = strcspn(s, "\n") > most ? strcspn(s, "\n") : most;
	assert_in_range(most, 4096, 4120);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(titles_texts_and_problems_line_up, setup, teardown),
		cmocka_unit_test_setup_teardown(a_programs_lines_are_indented_however_they_come, setup, teardown),
		cmocka_unit_test_setup_teardown(a_line_without_end_is_cut, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
