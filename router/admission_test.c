/* Who is let in, and how many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <arpa/inet.h>
#include <cmocka.h>

#include "libflynn/attr.h"
#include "router/admission.h"

static struct in6_addr
address(const char *text)
{
	struct in6_addr a;

	assert_int_equal(inet_pton(AF_INET6, text, &a), 1);
	return a;
}

static void
no_more_than_the_maximum_is_let_in(FL_UNUSED void **state)
{
	struct admission *a = admission_new(2, 0);

	assert_false(admission_has_clients(a));
	assert_true(admission_enter(a));
	assert_true(admission_enter(a));
	assert_false(admission_enter(a));
	assert_false(admission_enter(a));
	admission_leave(a);
	assert_true(admission_enter(a));
	assert_false(admission_enter(a));
	admission_free(a);
}

static void
a_client_is_an_address_or_a_network_of_64_bits(FL_UNUSED void **state)
{
	static const struct {
		const char *one, *other;
		bool is_same;
	} cases[] = {
		{ "::ffff:192.0.2.7", "::ffff:192.0.2.7", true },
		{ "::ffff:192.0.2.7", "::ffff:192.0.2.8", false },
		{ "2001:db8:1:2::1", "2001:db8:1:2:ffff::", true },
		{ "2001:db8:1:2::1", "2001:db8:1:3::1", false },
		{ "::ffff:0.0.0.0", "::1", false },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct admission *a = admission_new(100, 1);
		struct in6_addr one = address(cases[i].one), other = address(cases[i].other);

		assert_true(admission_has_clients(a));
		assert_true(admission_enter_client(a, &one));
		assert_int_equal(admission_enter_client(a, &other), !cases[i].is_same);
		admission_leave_client(a, &one);
		assert_true(admission_enter_client(a, cases[i].is_same ? &other : &one));
		admission_free(a);
	}
}

static void
many_clients_are_told_apart(FL_UNUSED void **state)
{
	struct admission *a = admission_new(100, 3);

	for (int round = 0; round < 2; round++) {
		for (uint32_t i = 0; i < 100000; i++) {
			struct in6_addr addr = { .s6_addr32 = { 0, 0, htonl(0xffff), htonl(i) } };

			for (int n = 0; n < 3; n++)
				assert_true(admission_enter_client(a, &addr));
			assert_false(admission_enter_client(a, &addr));
		}
		for (uint32_t i = 0; i < 100000; i++) {
			struct in6_addr addr = { .s6_addr32 = { 0, 0, htonl(0xffff), htonl(i) } };

			for (int n = 0; n < 3; n++)
				admission_leave_client(a, &addr);
		}
	}
	admission_free(a);
}

static void
descriptors_are_left_for_instances(FL_UNUSED void **state)
{
	assert_int_equal(admission_default_max(1024), 448);
	assert_int_equal(admission_default_max(1 << 20), 524224);
	assert_int_equal(admission_default_max(64), 16);
	assert_int_equal(admission_default_max(0), 16);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_more_than_the_maximum_is_let_in),
		cmocka_unit_test(a_client_is_an_address_or_a_network_of_64_bits),
		cmocka_unit_test(many_clients_are_told_apart),
		cmocka_unit_test(descriptors_are_left_for_instances),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
