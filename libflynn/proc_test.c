#include "libflynn/proc.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "libflynn/err.h"
#include "libflynn/loop_test.h"

struct outcome {
	int calls, status;
};

static void
record(int status, void *arg)
{
	struct outcome *got = arg;

	got->calls++;
	got->status = status;
}

static struct fl_proc *
start(struct event_base *base, const char *script, struct outcome *got, int out)
{
	const char *argv[] = { "sh", "-c", script, NULL };
	const struct fl_proc_opts opts = { .argv = argv, .stdio = { -1, out, -1 }, .cwd = "/tmp", .new_group = 1 };

	return fl_proc_start(base, &opts, record, got, NULL);
}

static void
end_is_reported_exactly_once(void **state)
{
	static const struct {
		const char *script;
		int want;
	} cases[] = { { "exit 0", 0 }, { "exit 7", 7 }, { "kill -9 $$", 128 + 9 }, { "kill -PIPE $$", 128 + 13 } };

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct outcome got = { 0 };

		assert_non_null(start(*state, cases[i].script, &got, -1));
		assert_int_equal(got.calls, 0); /* not before start returned */
		event_base_dispatch(*state);
		assert_int_equal(got.calls, 1);
		assert_int_equal(got.status, cases[i].want);
	}
}

static void
output_and_directory_are_as_asked(void **state)
{
	struct outcome got = { 0 };
	char text[64] = "";
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_non_null(start(*state, "pwd", &got, fds[1]));
	event_base_dispatch(*state);
	assert_int_equal(read(fds[0], text, sizeof(text) - 1), 5);
	assert_string_equal(text, "/tmp\n");
	close(fds[0]);
	close(fds[1]);
}

static void
descriptors_may_be_swapped(void **state)
{
	const char *argv[] = { "sh", "-c", "echo to-err; echo to-out >&2", NULL };
	struct fl_proc_opts opts = { .argv = argv, .stdio = { -1, 2, 1 } };
	struct outcome got = { 0 };
	int fds[2], out = dup(1), err = dup(2), was;
	char text[64] = "";

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	was = dup2(fds[1], 2); /* our 2 is the pipe, so the child's 1 must be */
	assert_int_equal(was, 2);
	assert_int_equal(dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), 1), 1);
	assert_non_null(fl_proc_start(*state, &opts, record, &got, NULL));
	event_base_dispatch(*state);
	dup2(out, 1);
	dup2(err, 2);
	assert_true(read(fds[0], text, sizeof(text) - 1) > 0);
	assert_string_equal(text, "to-err\n");
	close(fds[0]);
	close(fds[1]);
	close(out);
	close(err);
}

static void
environment_is_only_what_was_given(void **state)
{
	const char *argv[] = { "env", NULL }, *env[] = { "A=1", NULL };
	struct fl_proc_opts opts = { .argv = argv, .env = env, .stdio = { -1, -1, -1 } };
	struct outcome got = { 0 };
	char text[64] = "";
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	opts.stdio[1] = fds[1];
	assert_non_null(fl_proc_start(*state, &opts, record, &got, NULL));
	event_base_dispatch(*state);
	assert_true(read(fds[0], text, sizeof(text) - 1) > 0);
	assert_string_equal(text, "A=1\n");
	close(fds[0]);
	close(fds[1]);
}

static void
missing_program_is_an_error(void **state)
{
	const char *argv[] = { "/nowhere/program", NULL };
	struct fl_proc_opts opts = { .argv = argv, .stdio = { -1, -1, -1 } };
	struct fl_err err = { 0 };
	struct outcome got = { 0 };

	assert_null(fl_proc_start(*state, &opts, record, &got, &err));
	assert_int_equal(err.kind, FL_ERR_SYSTEM);
	assert_string_equal(err.msg, "run /nowhere/program: No such file or directory");
	event_base_dispatch(*state);
	assert_int_equal(got.calls, 0);
}

static void
kill_reaches_the_whole_group(void **state)
{
	struct outcome got = { 0 };
	int fds[2];
	char c;
	struct fl_proc *p;

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	p = start(*state, "sleep 1000 & echo; wait", &got, fds[1]);
	close(fds[1]);
	assert_int_equal(read(fds[0], &c, 1), 1);
	fl_proc_kill(p, SIGKILL);
	event_base_dispatch(*state);
	assert_int_equal(got.status, 128 + SIGKILL);
	assert_int_equal(read(fds[0], &c, 1), 0); /* sleep(1) has let go of it too */
	close(fds[0]);
}

static void
free_ends_it_without_a_word(void **state)
{
	struct outcome got = { 0 };
	struct fl_proc *p = start(*state, "sleep 1000", &got, -1);
	pid_t pid = fl_proc_pid(p);

	fl_proc_free(p);
	assert_int_equal(kill(pid, 0), -1); /* reaped */
	event_base_dispatch(*state);
	assert_int_equal(got.calls, 0);
	fl_proc_free(NULL);
}

struct freer {
	struct fl_proc *p;
	int calls;
};

static void
free_it(FL_UNUSED int status, void *arg)
{
	struct freer *f = arg;

	f->calls++;
	fl_proc_free(f->p);
}

static void
free_from_its_own_callback_is_harmless(void **state)
{
	const char *argv[] = { "true", NULL };
	struct fl_proc_opts opts = { .argv = argv, .stdio = { -1, -1, -1 } };
	struct freer f = { 0 };

	f.p = fl_proc_start(*state, &opts, free_it, &f, NULL);
	event_base_dispatch(*state);
	assert_int_equal(f.calls, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(end_is_reported_exactly_once),
		cmocka_unit_test(output_and_directory_are_as_asked),
		cmocka_unit_test(descriptors_may_be_swapped),
		cmocka_unit_test(environment_is_only_what_was_given),
		cmocka_unit_test(missing_program_is_an_error),
		cmocka_unit_test(kill_reaches_the_whole_group),
		cmocka_unit_test(free_ends_it_without_a_word),
		cmocka_unit_test(free_from_its_own_callback_is_harmless),
	};

	return cmocka_run_group_tests(tests, loop_set_up, loop_tear_down);
}
