#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "host/usage.h"
#include "libflynn/attr.h"
#include "libflynn/json.h"

#define SECOND INT64_C(1000000)

static int
parse_with(int (*parser)(const struct fl_json *, const struct usage *, int64_t, int64_t, struct usage *, struct fl_err *),
    const char *text, const struct usage *before, int64_t started_us, int64_t now_us, struct usage *out)
{
	struct fl_json *v = fl_json_parse(text, strlen(text), NULL);
	int r;

	assert_non_null(v);
	r = parser(v, before, started_us, now_us, out, NULL);
	fl_json_free(v);
	return r;
}

static int
parse(const char *text, const struct usage *before, int64_t started_us, int64_t now_us, struct usage *out)
{
	return parse_with(usage_parse, text, before, started_us, now_us, out);
}

static void
memory_is_without_the_cache_that_is_not_in_use(FL_UNUSED void **state)
{
	static const struct {
		const char *memory;
		int64_t want;
	} cases[] = {
		{ "{\"usage\":1000,\"stats\":{\"inactive_file\":300}}", 700 },			       /* cgroup v2 */
		{ "{\"usage\":1000,\"stats\":{\"inactive_file\":1,\"total_inactive_file\":400}}", 600 }, /* v1 */
		{ "{\"usage\":1000,\"stats\":{}}", 1000 },
		{ "{\"usage\":1000}", 1000 },
		{ "{\"usage\":1000,\"stats\":{\"inactive_file\":2000}}", 1000 },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct usage none = { 0 }, u = { 0 };
		char text[256];

		snprintf(text, sizeof(text), "{\"cpu_stats\":{\"cpu_usage\":{\"total_usage\":5000}},\"memory_stats\":%s}", cases[i].memory);
		assert_int_equal(parse(text, &none, 1, 2, &u), 0);
		assert_int_equal(u.memory_bytes, cases[i].want);
	}
}

static void
processor_time_is_told_of_the_time_since_the_last_reading(FL_UNUSED void **state)
{
	static const char half_a_second[] = "{\"cpu_stats\":{\"cpu_usage\":{\"total_usage\":500000000}},\"memory_stats\":{\"usage\":1}}";
	static const char two_seconds[] = "{\"cpu_stats\":{\"cpu_usage\":{\"total_usage\":2000000000}},\"memory_stats\":{\"usage\":1}}";
	struct usage first = { 0 }, second = { 0 }, again = { 0 }, none = { 0 };

	/* The first: since the start, ten seconds ago. */
	assert_int_equal(parse(half_a_second, &none, 10 * SECOND, 20 * SECOND, &first), 0);
	assert_int_equal(first.cpu_us, SECOND / 2);
	assert_int_equal(first.cpu_millis, 50);
	/* One second later, 1.5 more: a processor and a half. */
	assert_int_equal(parse(two_seconds, &first, 10 * SECOND, 21 * SECOND, &second), 0);
	assert_int_equal(second.cpu_millis, 1500);
	/* Less than before: another container, started two seconds before. */
	assert_int_equal(parse(half_a_second, &second, 28 * SECOND, 30 * SECOND, &again), 0);
	assert_int_equal(again.cpu_millis, 250);
}

static void
processes_are_summed_up(FL_UNUSED void **state)
{
	static const char five[] = "{\"Titles\":[\"PID\",\"RSS\",\"TIME\"],\"Processes\":[[\"1\",\"100\",\"2\"],[\"7\",\"24\",\"3\"],[\"8\"],[]]}";
	static const char nine[] = "{\"Titles\":[\"TIME\",\"RSS\"],\"Processes\":[[\"9\",\"1\"],[\"x\",\"99999999999999999999\"]]}";
	static const char *const nothing[] = { "{}", "{\"Titles\":[\"RSS\"],\"Processes\":[[\"1\"]]}", "{\"Titles\":[\"RSS\",\"TIME\"],\"Processes\":7}" };
	struct usage none = { 0 }, first = { 0 }, soon = { 0 }, late = { 0 };

	assert_int_equal(parse_with(usage_parse_top, five, &none, 10 * SECOND, 20 * SECOND, &first), 0);
	assert_int_equal(first.memory_bytes, 124 * 1024);
	assert_int_equal(first.cpu_us, 5 * SECOND);
	assert_int_equal(first.cpu_millis, 500);
	/* Whole seconds say little of a short time: it is told since the same moment as before. */
	assert_int_equal(parse_with(usage_parse_top, nine, &first, 10 * SECOND, 22 * SECOND, &soon), 0);
	assert_int_equal(soon.cpu_millis, 750);
	assert_int_equal(parse_with(usage_parse_top, nine, &first, 10 * SECOND, 40 * SECOND, &late), 0);
	assert_int_equal(late.cpu_millis, 200);
	for (size_t i = 0; i < fl_nitems(nothing); i++)
		assert_int_equal(parse_with(usage_parse_top, nothing[i], &none, 1, 2, &first), -1);
}

static void
a_container_that_has_ended_tells_nothing(FL_UNUSED void **state)
{
	static const char *const texts[] = {
		"{}", "null", "[]", "{\"cpu_stats\":{\"cpu_usage\":{\"total_usage\":0}},\"memory_stats\":{}}",
		"{\"cpu_stats\":7,\"memory_stats\":\"x\"}",
	};
	struct usage none = { 0 }, u = { .read_us = 7 };

	for (size_t i = 0; i < fl_nitems(texts); i++)
		assert_int_equal(parse(texts[i], &none, 1, 2, &u), -1);
	assert_int_equal(u.read_us, 7);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_is_without_the_cache_that_is_not_in_use),
		cmocka_unit_test(processor_time_is_told_of_the_time_since_the_last_reading),
		cmocka_unit_test(processes_are_summed_up),
		cmocka_unit_test(a_container_that_has_ended_tells_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
