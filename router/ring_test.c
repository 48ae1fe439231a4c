#include "router/ring.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "router/record.h"

static struct fl_span
span(const char *text)
{
	return (struct fl_span){ text, strlen(text) };
}

/* A record that can be told from others by its number. */
static void
add(struct ring *r, uint64_t number)
{
	char path[32];
	struct record record = {
		.start_us = (int64_t)number,
		.up_bytes = number,
		.down_bytes = ~number,
		.total_us = 7,
		.status = 200,
		.method = span("GET"),
		.host = span("www.example.com"),
		.instance = span("10.0.0.1:80"),
	};

	snprintf(path, sizeof(path), "/%llu", (unsigned long long)number);
	record.path = span(path);
	ring_add(r, &record);
}

static void
check(const struct record *record, uint64_t number)
{
	char path[32];
	int len = snprintf(path, sizeof(path), "/%llu", (unsigned long long)number);

	assert_int_equal(record->start_us, number);
	assert_int_equal(record->up_bytes, number);
	assert_int_equal(record->down_bytes, ~number);
	assert_int_equal(record->path.len, len);
	assert_memory_equal(record->path.p, path, (size_t)len);
	assert_int_equal(record->host.len, strlen("www.example.com"));
}

struct reading {
	uint64_t number; /* of the next one, as its texts say */
	uint64_t n;
	uint64_t stop_after; /* 0: never */
};

static bool
read_one(const struct record *record, void *arg)
{
	struct reading *g = arg;

	assert_true((uint64_t)record->start_us >= g->number);
	g->number = (uint64_t)record->start_us;
	check(record, g->number++);
	return ++g->n != g->stop_after;
}

static int
set_up(void **state)
{
	struct ring *r = malloc(sizeof(*r));

	ring_init(r, 1000);
	*state = r;
	return 0;
}

static int
tear_down(void **state)
{
	ring_release(*state);
	free(*state);
	return 0;
}

static void
empty_ring_has_nothing_and_no_memory(void **state)
{
	struct ring *r = *state;
	struct reading g = { 0 };
	struct ring_cursor c;
	struct record record;
	uint64_t next = 0;

	assert_int_equal(ring_count(r), 0);
	assert_int_equal(r->n_chunks, 0);
	assert_int_equal(ring_read(r, &next, read_one, &g), 0);
	assert_int_equal(g.n, 0);
	ring_cursor_init(&c, r, ring_count(r));
	assert_false(ring_cursor_next(&c, &record));
	ring_cursor_release(&c);
}

static void
reader_goes_on_where_it_stopped(void **state)
{
	struct ring *r = *state;
	struct reading g = { .stop_after = 300 };
	uint64_t next = 0;

	for (uint64_t i = 0; i < 500; i++)
		add(r, i);
	assert_int_equal(ring_read(r, &next, read_one, &g), 0);
	assert_int_equal(next, 300);
	assert_int_equal(ring_read(r, &next, read_one, &g), 0);
	assert_int_equal(next, 500);
	assert_int_equal(g.n, 500);
	add(r, 500);
	assert_int_equal(ring_read(r, &next, read_one, &g), 0);
	assert_int_equal(g.n, 501);
	assert_int_equal(ring_count(r), 501);
}

static void
last_records_are_kept_and_lost_ones_counted(void **state)
{
	struct ring *r = *state;
	struct reading g = { 0 };
	uint64_t next = 0, lost;
	size_t most = 0;

	for (uint64_t i = 0; i < 20000; i++) {
		add(r, i);
		if (r->n_chunks > most)
			most = r->n_chunks;
	}
	assert_true(most <= 1000 * RING_RECORD_BYTES / RING_CHUNK_BYTES + 2);
	lost = ring_read(r, &next, read_one, &g);
	assert_int_equal(lost, ring_oldest(r));
	assert_int_equal(lost + g.n, 20000);
	assert_in_range(g.n, 1000, 1000 + 2 * RING_CHUNK_BYTES / 100);
	assert_int_equal(g.number, 20000);
}

static void
cursor_goes_back_to_the_oldest(void **state)
{
	struct ring *r = *state;
	struct ring_cursor c;
	struct record record;
	uint64_t number;

	for (uint64_t i = 0; i < 5000; i++)
		add(r, i);
	ring_cursor_init(&c, r, ring_count(r));
	for (number = 5000; ring_cursor_next(&c, &record);)
		check(&record, --number);
	ring_cursor_release(&c);
	assert_int_equal(number, ring_oldest(r));
	ring_cursor_init(&c, r, 4700);
	assert_true(ring_cursor_next(&c, &record));
	check(&record, 4699);
	ring_cursor_release(&c);
}

static void
what_a_reader_holds_is_not_overwritten(void **state)
{
	struct ring *r = *state;
	struct ring_cursor c;
	struct record record;
	uint64_t number = 100;

	for (uint64_t i = 0; i < 100; i++)
		add(r, i);
	ring_cursor_init(&c, r, 100);
	for (uint64_t i = 100; i < 10000; i++)
		add(r, i);
	while (ring_cursor_next(&c, &record))
		check(&record, --number);
	assert_int_equal(number, 0);
	ring_cursor_release(&c); /* the last one: frees it, or the sanitizer says so */
}

static void
longest_record_fits(void **state)
{
	static char text[256];
	struct ring *r = *state;
	struct record record = { 0 }, got;
	struct ring_cursor c;
	struct fl_buf b = { 0 };

	memset(text, 'x', sizeof(text));
	record.path = (struct fl_span){ text, RECORD_NOTE };
	record.instance = record.release = (struct fl_span){ text, RECORD_NAME };
	for (int i = 0; i < 5000; i++) {
		ring_add(r, &record);
		/* Their number is no bound of the memory then. */
		assert_true(r->n_chunks <= 1000 * RING_RECORD_BYTES / RING_CHUNK_BYTES + 2);
	}
	ring_cursor_init(&c, r, ring_count(r));
	assert_true(ring_cursor_next(&c, &got));
	assert_int_equal(got.path.len, RECORD_NOTE);
	assert_int_equal(got.release.len, RECORD_NAME);
	assert_int_equal(got.host.len, 0);
	record_write(&got, 0, &b);
	assert_non_null(strstr(fl_buf_cstr(&b), "\"status\":0"));
	fl_buf_release(&b);
	ring_cursor_release(&c);
}

static _Atomic bool is_over;

static void *
read_all_the_time(void *arg)
{
	struct ring *r = arg;
	struct reading g = { 0 };
	uint64_t next = 0, lost = 0;
	bool is_last;

	do {
		struct ring_cursor c;
		struct record record;
		uint64_t end = ring_count(r), number = end;

		is_last = atomic_load(&is_over);
		lost += ring_read(r, &next, read_one, &g);
		ring_cursor_init(&c, r, end);
		while (ring_cursor_next(&c, &record)) {
			/* Its chunk may have been overwritten between two looks: then older ones do not come. */
			assert_true((uint64_t)record.start_us < number || number == 0);
			number = (uint64_t)record.start_us;
			check(&record, number);
		}
		ring_cursor_release(&c);
	} while (!is_last);
	assert_int_equal(lost + g.n, next);
	assert_int_equal(next, ring_count(r));
	return NULL;
}

static void
readers_and_the_worker_do_not_meet(void **state)
{
	struct ring *r = *state;
	pthread_t readers[2];

	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&readers[i], NULL, read_all_the_time, r), 0);
	for (uint64_t i = 0; i < 200000; i++)
		add(r, i);
	atomic_store(&is_over, true);
	for (int i = 0; i < 2; i++)
		pthread_join(readers[i], NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(empty_ring_has_nothing_and_no_memory, set_up, tear_down),
		cmocka_unit_test_setup_teardown(reader_goes_on_where_it_stopped, set_up, tear_down),
		cmocka_unit_test_setup_teardown(last_records_are_kept_and_lost_ones_counted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(cursor_goes_back_to_the_oldest, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_a_reader_holds_is_not_overwritten, set_up, tear_down),
		cmocka_unit_test_setup_teardown(longest_record_fits, set_up, tear_down),
		cmocka_unit_test_setup_teardown(readers_and_the_worker_do_not_meet, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
