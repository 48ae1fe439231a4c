#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "host/container.h"
#include "host/death.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"

#define S 1000000

static void
the_sentence_says_how_it_ended(void **state)
{
	static char arm[] = "arm64", amd[] = "amd64";
	static const struct {
		struct container_info info;
		int64_t memory;
		const char *words, *want;
	} cases[] = {
		{ { .exit_code = 1, .started_us = 10 * S, .finished_us = 10 * S + 400000 }, 0, "", "web exited 1 after 0.4 s" },
		{ { .exit_code = 0, .started_us = 10 * S, .finished_us = 70 * S }, 0, "", "web exited 0 after 60.0 s" },
		{ { .exit_code = 137, .started_us = S, .finished_us = 2 * S }, 0, "", "web was ended by SIGKILL after 1.0 s" },
		{ { .exit_code = 139, .started_us = S, .finished_us = 2 * S }, 0, "", "web was ended by SIGSEGV after 1.0 s" },
		{ { .exit_code = 255, .started_us = S, .finished_us = 2 * S }, 0, "", "web exited 255 after 1.0 s" },
		{ { .exit_code = 137, .oom_killed = true, .started_us = S, .finished_us = 2 * S }, (int64_t)512 << 20, "",
		    "web was killed at its memory limit of 512 MB after 1.0 s" },
		{ { .exit_code = 137, .oom_killed = true, .started_us = S, .finished_us = 2 * S }, 0, "",
		    "web was killed because this machine has no memory left after 1.0 s" },
		{ { .exit_code = 1, .image_arch = arm, .finished_us = S }, 0, "exec format error", "image is arm64, host is amd64" },
		/* One of ours that is no program at all. */
		{ { .exit_code = 1, .image_arch = amd, .finished_us = S }, 0, "exec format error",
		    "web exited 1 after 1.0 s\nexec format error" },
		/* The engine's clock was set back meanwhile. */
		{ { .exit_code = 1, .started_us = 9 * S, .finished_us = 2 * S }, 0, "a\nb", "web exited 1 after 0.0 s\na\nb" },
	};

	(void)state;
	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct fl_buf got = { 0 };

		death_explain("web", &cases[i].info, "amd64", cases[i].memory, cases[i].words, &got);
		assert_string_equal(fl_buf_cstr(&got), cases[i].want);
		fl_buf_release(&got);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_sentence_says_how_it_ended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
