#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/clock.h"
#include "libflynn/err.h"
#include "slugbuilder/child.h"
#include "slugbuilder/output.h"
#include "slugbuilder/user.h"

static char *const env[] = { (char[]){ "PATH=/usr/bin:/bin" }, (char[]){ "NAME=value" }, NULL };

/* Run a script of sh; what it prints goes to answer, or nowhere. */
static int
run(const char *script, int timeout_s, struct fl_buf *answer, struct fl_err *err)
{
	const char *const argv[] = { "sh", "-c", script, NULL };
	struct user me = { .uid = getuid(), .gid = getgid() };
	struct output none = { .fd = -1 };
	struct child c = { .argv = argv, .env = env, .dir = "/", .user = &me, .timeout_s = timeout_s, .answer = answer,
		.answer_max = 100 };

	return child_run(&c, &none, err);
}

static void
ends_are_told_as_sh_has_them(FL_UNUSED void **state)
{
	static const struct {
		const char *script;
		int want;
	} cases[] = { { "exit 0", 0 }, { "exit 7", 7 }, { "kill -9 $$", 128 + 9 }, { "/nonexistent/program", 127 } };

	for (size_t i = 0; i < fl_nitems(cases); i++)
		assert_int_equal(run(cases[i].script, 10, NULL, NULL), cases[i].want);
}

static void
it_gets_this_environment_and_no_other(FL_UNUSED void **state)
{
	struct fl_buf answer = { 0 };

	setenv("SECRET", "x", 1);
	assert_int_equal(run("echo $NAME$SECRET; pwd; cat", 10, &answer, NULL), 0);
	assert_string_equal(fl_buf_cstr(&answer), "value\n/\n");
	fl_buf_release(&answer);
}

static void
a_long_answer_is_refused(FL_UNUSED void **state)
{
	struct fl_buf answer = { 0 };
	struct fl_err err = { 0 };

	assert_int_equal(run("yes", 10, &answer, &err), -1);
	assert_int_equal(err.kind, FL_ERR_TOO_BIG);
	fl_buf_release(&answer);
}

static void
time_runs_out(FL_UNUSED void **state)
{
	int64_t start = fl_clock_ms();
	struct fl_err err = { 0 };

	assert_int_equal(run("sleep 100", 1, NULL, &err), -1);
	assert_int_equal(err.kind, FL_ERR_TIMEOUT);
	assert_string_equal(err.msg, "sh ran for more than 1 s and was stopped");
	assert_in_range(fl_clock_ms() - start, 900, 20000);
}

/* Is any process of this number there, dead ones aside? */
static int
is_running(long pid)
{
	return kill((pid_t)pid, 0) == 0 || errno == EPERM;
}

static void
what_it_leaves_behind_is_killed(FL_UNUSED void **state)
{
	static const char *const scripts[] = {
		"sleep 100 & echo $!",			       /* of its group, and holds the output */
		"setsid sh -c 'echo $$; exec sleep 100' & sleep 1", /* of a session of its own */
	};

	assert_int_equal(child_init(NULL), 0);
	for (size_t i = 0; i < fl_nitems(scripts); i++) {
		struct fl_buf answer = { 0 };
		long pid;

		assert_int_equal(run(scripts[i], 20, &answer, NULL), 0);
		pid = strtol(fl_buf_cstr(&answer), NULL, 10);
		assert_true(pid > 1);
		assert_false(is_running(pid));
		fl_buf_release(&answer);
	}
}

static void
sigterm_ends_it_too(FL_UNUSED void **state)
{
	int fds[2], status = 0;
	char text[32] = "";
	pid_t builder;

	assert_int_equal(pipe(fds), 0);
	if ((builder = fork()) == 0) {
		char script[64];

		child_init(NULL);
		close(STDOUT_FILENO); /* it says there that it was cancelled */
		snprintf(script, sizeof(script), "echo $$ >&%d; exec sleep 100", fds[1]);
		_exit(run(script, 60, NULL, NULL));
	}
	assert_true(read(fds[0], text, sizeof(text) - 1) > 0);
	kill(builder, SIGTERM);
	assert_int_equal(waitpid(builder, &status, 0), builder);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 128 + SIGTERM);
	for (int i = 0; i < 1000 && is_running(strtol(text, NULL, 10)); i++) {
		waitpid(-1, NULL, WNOHANG); /* we adopt orphans since the test before */
		usleep(10000);
	}
	assert_false(is_running(strtol(text, NULL, 10)));
	close(fds[0]);
	close(fds[1]);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(ends_are_told_as_sh_has_them),
		cmocka_unit_test(it_gets_this_environment_and_no_other),
		cmocka_unit_test(a_long_answer_is_refused),
		cmocka_unit_test(time_runs_out),
		cmocka_unit_test(what_it_leaves_behind_is_killed),
		cmocka_unit_test(sigterm_ends_it_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
