/* Which keys seal and open session tickets, and when one is to be made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "libflynn/attr.h"
#include "libflynn/base64.h"
#include "router/tickets.h"

static struct ticket_key
key(int64_t epoch, bool is_shared, unsigned char fill)
{
	struct ticket_key k = { .epoch = epoch, .is_shared = is_shared };

	memset(k.name, fill, sizeof(k.name));
	memset(k.aes, fill, sizeof(k.aes));
	memset(k.mac, fill, sizeof(k.mac));
	return k;
}

static bool
add(struct ticket_keys *keys, int64_t epoch, bool is_shared, unsigned char fill, int64_t now)
{
	struct ticket_key k = key(epoch, is_shared, fill);

	return ticket_keys_add(keys, &k, now);
}

static void
shared_key_of_the_epoch_seals(FL_UNUSED void **state)
{
	struct ticket_keys keys = { 0 };

	assert_null(ticket_keys_sealer(&keys, 100));
	assert_true(add(&keys, 100, false, 1, 100));
	assert_int_equal(ticket_keys_sealer(&keys, 100)->name[0], 1);
	assert_true(add(&keys, 101, true, 2, 100)); /* the next: known, not used */
	assert_int_equal(ticket_keys_sealer(&keys, 100)->name[0], 1);
	assert_true(add(&keys, 100, true, 3, 100));
	assert_int_equal(ticket_keys_sealer(&keys, 100)->name[0], 3);
	assert_int_equal(ticket_keys_sealer(&keys, 101)->name[0], 2);
	assert_null(ticket_keys_sealer(&keys, 102)); /* an old one never seals */
	assert_int_equal(keys.n, 3);
	assert_true(add(&keys, 100, true, 4, 100)); /* in place of the other */
	assert_int_equal(keys.n, 3);
	assert_int_equal(ticket_keys_sealer(&keys, 100)->name[0], 4);
}

static void
keys_open_for_one_epoch_more_and_are_wiped(FL_UNUSED void **state)
{
	static const struct ticket_key none;
	struct ticket_keys keys = { 0 };

	for (int64_t epoch = 100; epoch < 103; epoch++)
		assert_true(add(&keys, epoch, true, (unsigned char)epoch, 101));
	ticket_keys_expire(&keys, 101);
	assert_int_equal(keys.n, 3);
	ticket_keys_expire(&keys, 102);
	assert_int_equal(keys.n, 2);
	assert_null(ticket_keys_shared(&keys, 100));
	assert_non_null(ticket_keys_shared(&keys, 101));
	assert_true(add(&keys, 104, true, 104, 102));
	ticket_keys_expire(&keys, 101); /* our clock was ahead, and was set right */
	assert_null(ticket_keys_shared(&keys, 104));
	assert_non_null(ticket_keys_shared(&keys, 101));
	ticket_keys_expire(&keys, 200);
	assert_int_equal(keys.n, 0);
	for (size_t i = 0; i < TICKET_KEYS_MAX; i++)
		assert_memory_equal(&keys.items[i], &none, sizeof(none));
}

static void
keys_of_other_times_are_not_taken(FL_UNUSED void **state)
{
	struct ticket_keys keys = { 0 };
	size_t n = 0;

	assert_false(add(&keys, 98, true, 1, 100));
	assert_false(add(&keys, 103, true, 1, 100)); /* a router whose clock is days ahead */
	assert_false(add(&keys, INT64_MAX / 2, true, 1, 100));
	for (int64_t now = 0; now < 100; now++)
		n += add(&keys, now, now % 2 == 0, 1, now);
	assert_int_equal(n, TICKET_KEYS_MAX); /* unless expired keys make room */
}

static void
this_epoch_and_the_next_have_keys(FL_UNUSED void **state)
{
	struct ticket_keys keys = { 0 };

	assert_int_equal(ticket_keys_missing(&keys, 100), 100);
	assert_true(add(&keys, 100, false, 1, 100)); /* our own does not count */
	assert_int_equal(ticket_keys_missing(&keys, 100), 100);
	assert_true(add(&keys, 100, true, 1, 100));
	assert_int_equal(ticket_keys_missing(&keys, 100), 101);
	assert_true(add(&keys, 101, true, 1, 100));
	assert_int_equal(ticket_keys_missing(&keys, 100), -1);
	assert_int_equal(ticket_keys_missing(&keys, 101), 102);
}

static void
text_of_another_length_is_no_key(FL_UNUSED void **state)
{
	unsigned char bytes[81];

	memset(bytes, 7, sizeof(bytes));
	for (size_t len = 0; len <= sizeof(bytes); len++) {
		char *text = fl_base64_encode(bytes, len);
		struct ticket_key k = { 0 };

		assert_int_equal(ticket_key_parse(text, strlen(text), &k), len == 80 ? 0 : -1);
		assert_int_equal(k.mac[31], len == 80 ? 7 : 0);
		free(text);
	}
	assert_int_equal(ticket_key_parse("!", 1, &(struct ticket_key){ 0 }), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shared_key_of_the_epoch_seals),
		cmocka_unit_test(keys_open_for_one_epoch_more_and_are_wiped),
		cmocka_unit_test(keys_of_other_times_are_not_taken),
		cmocka_unit_test(this_epoch_and_the_next_have_keys),
		cmocka_unit_test(text_of_another_length_is_no_key),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
