#include "libflynn/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "libflynn/attr.h"

/* stderr is a pipe while a line is written. */
static int real_stderr, pipe_read;

static int
redirect(FL_UNUSED void **state)
{
	int fds[2];

	if (pipe(fds) == -1)
		return -1;
	real_stderr = dup(STDERR_FILENO);
	dup2(fds[1], STDERR_FILENO);
	close(fds[1]);
	pipe_read = fds[0];
	return 0;
}

static int
restore(FL_UNUSED void **state)
{
	dup2(real_stderr, STDERR_FILENO);
	close(real_stderr);
	close(pipe_read);
	return 0;
}

/* What is there to read: a line, if one was written. */
static char *
line(void)
{
	static char text[16 << 10];
	ssize_t n = read(pipe_read, text, sizeof(text) - 1);

	assert_true(n > 0);
	text[n] = '\0';
	return text;
}

/* The line behind its time, which is checked for form. */
static const char *
after_time(const char *text)
{
	static const char form[] = "t=0000-00-00T00:00:00.000Z "; /* 0: any digit */

	for (size_t i = 0; i < sizeof(form) - 1; i++) {
		if (form[i] == '0')
			assert_in_range(text[i], '0', '9');
		else
			assert_int_equal(text[i], form[i]);
	}
	return text + sizeof(form) - 1;
}

static void
fields_follow_the_message(FL_UNUSED void **state)
{
	fl_log_init("host");
	fl_log_info("job started", fl_str("job", "h-1"), fl_int("ms", 12), fl_str("err", NULL));
	assert_string_equal(after_time(line()), "lvl=info component=host msg=\"job started\" job=h-1 ms=12 err=\"\"\n");
	fl_log_info("m", fl_int("a", 0), fl_int("b", -1), fl_int("c", INT64_MIN), fl_int("d", INT64_MAX));
	assert_string_equal(strstr(line(), "a="), "a=0 b=-1 c=-9223372036854775808 d=9223372036854775807\n");
	fl_log_error("ended");
	assert_string_equal(after_time(line()), "lvl=error component=host msg=ended\n");
}

static void
values_cannot_forge_a_line(FL_UNUSED void **state)
{
	static const struct {
		const char *value, *want;
	} cases[] = {
		{ "plain/value:1", "v=plain/value:1\n" },
		{ "", "v=\"\"\n" },
		{ "a b", "v=\"a b\"\n" },
		{ "a=b", "v=\"a=b\"\n" },
		{ "say \"hi\"", "v=\"say \\\"hi\\\"\"\n" },
		{ "back\\slash", "v=\"back\\\\slash\"\n" },
		{ "x\nlvl=error\r\t", "v=\"x\\nlvl=error\\r\\t\"\n" },
		{ "\033[31m\x7f", "v=\"\\u001b[31m\\u007f\"\n" },
		{ "\xc3\xa4", "v=\xc3\xa4\n" },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		fl_log_warn("m", fl_str("v", cases[i].value));
		assert_string_equal(strstr(line(), "v="), cases[i].want);
	}
}

static void
a_line_is_bounded_and_ends_in_a_newline(FL_UNUSED void **state)
{
	static char huge[20000];
	const char *text = NULL;

	memset(huge, '\n', sizeof(huge) - 1);
	fl_log_info("m", fl_str("v", huge), fl_str("w", "gone"));
	text = line();
	assert_int_equal(strlen(text), 8 << 10);
	assert_ptr_equal(strchr(text, '\n'), text + (8 << 10) - 1);
}

static void
the_level_decides_what_is_written(FL_UNUSED void **state)
{
	setenv("LOG_LEVEL", "warn", 1);
	fl_log_init("host");
	fl_log_info("unseen");
	fl_log_warn("seen");
	assert_non_null(strstr(line(), "msg=seen"));
	setenv("LOG_LEVEL", "nonsense", 1);
	fl_log_init("host");
	fl_log_set_level(FL_LOG_DEBUG);
	fl_log_debug("now seen");
	assert_non_null(strstr(line(), "lvl=debug"));
}

static void
nobody_waits_for_who_reads_it(FL_UNUSED void **state)
{
	static char all[1 << 20];
	size_t len = 0;
	ssize_t n;

	alarm(20);
	fl_log_set_level(FL_LOG_INFO);
	for (int i = 0; i < 10000; i++)
		fl_log_info("a line that nobody reads", fl_int("i", i));
	assert_true((n = read(pipe_read, all, 32 << 10)) > 0);
	len = (size_t)n;
	fl_log_info("a line that is read");
	while (strstr(all, "is read\"\n") == NULL && (n = read(pipe_read, all + len, sizeof(all) / 2)) > 0)
		len += (size_t)n;
	assert_null(strstr(all, "i=9999\n"));
	assert_non_null(strstr(all, "i=0\n"));
	assert_non_null(strstr(all, "msg=\"nobody read the log, some of it is lost\" lines="));
	assert_non_null(strstr(all, "msg=\"a line that is read\"\n"));
	alarm(0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(fields_follow_the_message, redirect, restore),
		cmocka_unit_test_setup_teardown(values_cannot_forge_a_line, redirect, restore),
		cmocka_unit_test_setup_teardown(a_line_is_bounded_and_ends_in_a_newline, redirect, restore),
		cmocka_unit_test_setup_teardown(the_level_decides_what_is_written, redirect, restore),
		cmocka_unit_test_setup_teardown(nobody_waits_for_who_reads_it, redirect, restore),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
