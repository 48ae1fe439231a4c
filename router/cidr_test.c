/* Networks, and who is in them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>

#include "libflynn/attr.h"
#include "libflynn/err.h"
#include "router/cidr.h"

static struct in6_addr
address(const char *text)
{
	struct in6_addr a;
	char mapped[64] = "::ffff:";

	strcat(mapped, text);
	assert_int_equal(inet_pton(AF_INET6, strchr(text, ':') != NULL ? text : mapped, &a), 1);
	return a;
}

static void
addresses_are_found_in_networks(FL_UNUSED void **state)
{
	static const struct {
		const char *list, *addr;
		bool is_in;
	} cases[] = {
		{ "10.0.0.0/8", "10.255.0.1", true },
		{ "10.0.0.0/8", "11.0.0.0", false },
		{ "192.0.2.7", "192.0.2.7", true },
		{ "192.0.2.7", "192.0.2.6", false },
		{ "192.0.2.128/25", "192.0.2.128", true },
		{ "192.0.2.128/25", "192.0.2.127", false },
		{ "0.0.0.0/0", "255.1.2.3", true },
		{ "0.0.0.0/0", "2001:db8::1", false },
		{ "::/0", "1.2.3.4", true },
		{ "2001:db8::/33", "2001:db8:7fff::1", true },
		{ "2001:db8::/33", "2001:db8:8000::1", false },
		{ "::1", "::1", true },
		{ "10.0.0.0/8, 2001:db8::/32 ,192.0.2.7/32", "2001:db8::1", true },
		{ "none", "127.0.0.1", false },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct cidr_list *l = cidr_list_parse(cases[i].list, NULL);
		struct in6_addr addr = address(cases[i].addr);

		assert_non_null(l);
		if (cidr_list_has(l, &addr) != cases[i].is_in)
			fail_msg("%s in %s", cases[i].addr, cases[i].list);
		free(l);
	}
}

static void
bad_networks_are_refused_with_a_sentence(FL_UNUSED void **state)
{
	static const struct {
		const char *list, *why;
	} cases[] = {
		{ "", "\"\" is no address" },
		{ "10.0.0.0/8,", "\"\" is no address" },
		{ "10.0.0/8", "\"10.0.0\" is no address" },
		{ "10.0.0.0/33", "\"10.0.0.0/33\" is no network: its length is 0 to 32" },
		{ "::/129", "\"::/129\" is no network: its length is 0 to 128" },
		{ "10.0.0.0/", "\"10.0.0.0/\" is no network: its length is 0 to 32" },
		{ "10.0.0.0/+8", "\"10.0.0.0/+8\" is no network: its length is 0 to 32" },
		{ "10.0.0.1/8", "\"10.0.0.1/8\" is no network: the address has more bits than its length" },
		{ "example.com", "\"example.com\" is no address" },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct fl_err err = { 0 };

		assert_null(cidr_list_parse(cases[i].list, &err));
		assert_int_equal(err.kind, FL_ERR_INVALID);
		assert_string_equal(err.msg, cases[i].why);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_found_in_networks),
		cmocka_unit_test(bad_networks_are_refused_with_a_sentence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
