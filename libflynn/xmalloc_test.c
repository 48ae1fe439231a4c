#include "libflynn/xmalloc.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static void
nothing_asked_for_is_still_memory(FL_UNUSED void **state)
{
	void *got[] = { fl_xmalloc(0), fl_xcalloc(0, 8), fl_xreallocarray(NULL, 0, 8), fl_xmemdup("", 0) };

	for (size_t i = 0; i < fl_nitems(got); i++) {
		assert_non_null(got[i]);
		free(got[i]);
	}
}

static void
strings_are_copied(FL_UNUSED void **state)
{
	char *copies[] = {
		fl_xstrdup("job"),
		fl_xstrdup_null("job"),
		fl_xstrndup("jobless", 3),
		fl_xasprintf("%c%s", 'j', "ob"),
		fl_xmemdup("job", 4),
	};

	for (size_t i = 0; i < fl_nitems(copies); i++) {
		assert_string_equal(copies[i], "job");
		free(copies[i]);
	}
	assert_null(fl_xstrdup_null(NULL));
}

static void
overflow_ends_the_process(FL_UNUSED void **state)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		signal(SIGABRT, SIG_DFL);
		close(STDERR_FILENO);
		free(fl_xreallocarray(NULL, SIZE_MAX / 2, 3));
		_exit(0);
	}
	waitpid(pid, &status, 0);
	assert_int_not_equal(status, 0); /* SIGABRT, or AddressSanitizer was first */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_asked_for_is_still_memory),
		cmocka_unit_test(strings_are_copied),
		cmocka_unit_test(overflow_ends_the_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
