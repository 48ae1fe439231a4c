/* What a full disk leaves of the log. */
#include "router/access_log.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "libflynn/attr.h"
#include "libflynn/clock.h"
#include "libflynn/err.h"
#include "router/journal.h"
#include "router/record.h"

#define DISK_BYTES 1000
#define LIMIT_MS 10000

static struct fl_span
span(const char *text)
{
	return (struct fl_span){ text, strlen(text) };
}

/* Add requests until the log has counted n of what count tells. */
static void
add_until(struct journal *j, const struct access_log *l, uint64_t (*count)(const struct access_log *), uint64_t n)
{
	static const struct timespec pause = { .tv_nsec = 5000000 };
	const struct record r = { .start_us = 1, .total_us = 7, .status = 200, .method = span("GET"), .host = span("www.example.com"),
		.path = span("/some/where"), .id = span("0123456789abcdef0123456789abcdef") };
	int64_t end_ms = fl_clock_ms() + LIMIT_MS;

	while (count(l) < n) {
		assert_true(fl_clock_ms() < end_ms);
		journal_add(j, 0, &r);
		nanosleep(&pause, NULL);
	}
}

static void
limit_files(rlim_t bytes)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* Lines that are whole; each other one is the beginning of one. */
static uint64_t
count_lines(FILE *f)
{
	char line[1024];
	uint64_t n = 0;

	while (fgets(line, sizeof(line), f) != NULL) {
		assert_int_equal(strncmp(line, "t=2", 3), 0);
		assert_null(strstr(line + 1, "t=2")); /* none begins in another */
		n += strstr(line, "whole=false\n") != NULL;
	}
	return n;
}

static void
a_line_that_found_no_room_spoils_no_other(FL_UNUSED void **state)
{
	static const struct access_log_mode all = { .is_on = true, .one_in = 1 };
	char path[] = "/tmp/access_log_test.XXXXXX";
	struct journal *j = journal_new(1, 1000);
	int fd = mkstemp(path);
	struct fl_err err = { 0 };
	struct access_log *l = access_log_new(j, &all, path, &err);
	uint64_t written, told;
	FILE *f;

	assert_non_null(l);
	limit_files(DISK_BYTES);
	add_until(j, l, access_log_missed, 1);
	limit_files(RLIM_INFINITY);
	written = access_log_written(l);
	add_until(j, l, access_log_written, written + 3);
	told = ring_count(&j->rings[0]) - access_log_missed(l);
	access_log_free(l); /* which writes the rest */
	f = fdopen(fd, "r");
	assert_int_equal(count_lines(f), told);
	fclose(f);
	journal_free(j);
	unlink(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_that_found_no_room_spoils_no_other),
	};

	signal(SIGXFSZ, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
