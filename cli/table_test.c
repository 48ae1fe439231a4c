#include "cli/table.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "libflynn/attr.h"
#include "libflynn/clock.h"

/* What print writes to a file or terminal in place of standard output. */
static void
capture(int fd, void (*print)(void))
{
	int saved = dup(STDOUT_FILENO);

	fflush(stdout);
	dup2(fd, STDOUT_FILENO);
	print();
	fflush(stdout);
	dup2(saved, STDOUT_FILENO);
	close(saved);
}

static void
print_jobs(void)
{
	static const char *const heads[] = { "ID", "STATE", "REASON", NULL };
	struct table *t = table_new(heads);

	table_row(t, "host0-1", "up", "");
	table_row(t, "h-2", "crashed", "exit 1");
	table_row(t, "\303\274\303\274\303\274", (const char *)NULL, "three letters, six bytes");
	table_print(t);
}

static void
in_a_pipe_columns_are_aligned_and_plain(FL_UNUSED void **state)
{
	static const char want[] =
	    "ID       STATE    REASON\n"
	    "host0-1  up\n"
	    "h-2      crashed  exit 1\n"
	    "\303\274\303\274\303\274               three letters, six bytes\n";
	char got[512] = "";
	int pipe_fd[2];
	ssize_t n;

	assert_int_equal(pipe(pipe_fd), 0);
	capture(pipe_fd[1], print_jobs);
	n = read(pipe_fd[0], got, sizeof(got) - 1);
	assert_true(n > 0);
	assert_string_equal(got, want);
	close(pipe_fd[0]);
	close(pipe_fd[1]);
}

static void
print_none(void)
{
	static const char *const heads[] = { "ID", "STATE", NULL };

	table_print(table_new(heads));
}

static void
without_rows_nothing_is_printed(FL_UNUSED void **state)
{
	char got[64] = "";
	int pipe_fd[2];

	assert_int_equal(pipe(pipe_fd), 0);
	capture(pipe_fd[1], print_none);
	close(pipe_fd[1]);
	assert_int_equal(read(pipe_fd[0], got, sizeof(got) - 1), 0);
	close(pipe_fd[0]);
}

/* Read what the terminal's other end shows of print. */
static void
on_terminal(void (*print)(void), char *got, size_t size)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY), slave;
	size_t len = 0;
	ssize_t n;

	assert_int_not_equal(master, -1);
	assert_int_equal(grantpt(master) | unlockpt(master), 0);
	slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	assert_int_not_equal(slave, -1);
	capture(slave, print);
	close(slave);
	while (len < size - 1 && (n = read(master, got + len, size - 1 - len)) > 0) /* it may come in pieces; then EIO */
		len += (size_t)n;
	got[len] = '\0';
	close(master);
}

static void
on_a_terminal_heads_and_states_are_coloured(FL_UNUSED void **state)
{
	char got[1024];

	setenv("TERM", "xterm", 1);
	unsetenv("NO_COLOR");
	on_terminal(print_jobs, got, sizeof(got));
	assert_non_null(strstr(got, "\033[1mID\033[0m"));
	assert_non_null(strstr(got, "\033[32mup\033[0m"));
	assert_non_null(strstr(got, "\033[31mcrashed\033[0m"));
}

static void
who_wants_no_colours_gets_none(FL_UNUSED void **state)
{
	char got[1024];

	setenv("TERM", "xterm", 1);
	setenv("NO_COLOR", "1", 1);
	on_terminal(print_jobs, got, sizeof(got));
	assert_null(strchr(got, '\033'));
	unsetenv("NO_COLOR");
	setenv("TERM", "dumb", 1);
	on_terminal(print_jobs, got, sizeof(got));
	assert_null(strchr(got, '\033'));
}

static void
ages_are_told_in_the_largest_unit(FL_UNUSED void **state)
{
	static const struct {
		int64_t seconds;
		const char *want;
	} cases[] = {
		{ 0, "0 seconds" },
		{ 1, "1 second" },
		{ 59, "59 seconds" },
		{ 60, "1 minute" },
		{ 7199, "1 hour" },
		{ 7200, "2 hours" },
		{ 86400, "1 day" },
		{ 400 * 86400, "400 days" },
		{ -30, "0 seconds" }, /* another machine's clock */
	};
	char then[FL_CLOCK_RFC3339_LEN], buf[32];

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		/* In the middle of a second, so that the test has time. */
		fl_clock_format(fl_clock_wall_us() - cases[i].seconds * 1000000 - (cases[i].seconds >= 0 ? 100000 : 0), then);
		assert_string_equal(table_age(then, buf, sizeof(buf)), cases[i].want);
	}
	assert_string_equal(table_age("yesterday", buf, sizeof(buf)), "");
	assert_string_equal(table_age(NULL, buf, sizeof(buf)), "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_a_pipe_columns_are_aligned_and_plain),
		cmocka_unit_test(without_rows_nothing_is_printed),
		cmocka_unit_test(on_a_terminal_heads_and_states_are_coloured),
		cmocka_unit_test(who_wants_no_colours_gets_none),
		cmocka_unit_test(ages_are_told_in_the_largest_unit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
