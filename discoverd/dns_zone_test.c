#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "discoverd/dns_packet.h"
#include "discoverd/dns_zone.h"
#include "discoverd/instance.h"
#include "discoverd/registry.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/json.h"

static char id_v4[33];

static void
add(struct registry *r, const char *addr, const char *proto, uint64_t index, char id[33])
{
	struct fl_buf b = { 0 };
	struct fl_json *v;
	struct instance *i;

	fl_buf_addf(&b, "{\"addr\":\"%s\",\"proto\":\"%s\"}", addr, proto);
	v = fl_json_parse(b.data, b.len, NULL);
	i = instance_parse(v, NULL);
	assert_non_null(i);
	i->index = index;
	if (id != NULL)
		memcpy(id, i->id, 33);
	registry_put_instance(r, "web", i);
	fl_json_free(v);
	fl_buf_release(&b);
}

static int
set_up(void **state)
{
	struct registry *r = registry_new();

	registry_put_service(r, "web", false, 1);
	registry_put_service(r, "idle", false, 2);
	add(r, "10.0.0.1:8001", "tcp", 3, id_v4);
	add(r, "10.0.0.1:8002", "tcp", 4, NULL);
	add(r, "[fd00::1]:8003", "udp", 5, NULL);
	add(r, "some.name:8004", "tcp", 6, NULL);
	registry_set_known(r);
	*state = r;
	return 0;
}

static int
tear_down(void **state)
{
	registry_free(*state);
	return 0;
}

/* Asks for a dotted name; returns the answer's length. */
static size_t
ask(const struct registry *r, const char *text, unsigned type, uint8_t *out, size_t max)
{
	uint8_t query[DNS_UDP_MIN] = { 0, 1, 1, 0, 0, 1 };
	struct dns_name name;
	struct dns_query q;
	enum dns_rcode rcode;
	size_t len = DNS_HEADER_LEN;

	assert_true(dns_name_set(&name, text));
	memcpy(query + len, name.wire, name.len);
	len += name.len;
	query[len + 1] = (uint8_t)type;
	query[len + 3] = DNS_CLASS_IN;
	assert_int_equal(dns_query_parse(query, len + 4, &q, &rcode), DNS_PARSE_OK);
	assert_true(dns_zone_has(&q));
	return dns_zone_answer(r, query, &q, out, max);
}

static void
names_mean_what_they_say(void **state)
{
	char one[128];
	const struct {
		const char *name;
		unsigned type;
		int rcode, answers, authority, additional;
	} cases[] = {
		{ "web.discoverd", DNS_TYPE_A, DNS_OK, 1, 0, 0 }, /* two instances, one address */
		{ "WEB.Discoverd", DNS_TYPE_A, DNS_OK, 1, 0, 0 },
		{ "web.discoverd", DNS_TYPE_AAAA, DNS_OK, 1, 0, 0 },
		{ "web.discoverd", DNS_TYPE_SRV, DNS_OK, 3, 0, 3 },
		{ "web.discoverd", DNS_TYPE_ANY, DNS_OK, 5, 0, 0 },
		{ "web.discoverd", 15, DNS_OK, 0, 1, 0 },
		{ "_web._tcp.discoverd", DNS_TYPE_SRV, DNS_OK, 2, 0, 2 },
		{ "_web._udp.discoverd", DNS_TYPE_SRV, DNS_OK, 1, 0, 1 },
		{ "_web._sctp.discoverd", DNS_TYPE_SRV, DNS_OK, 0, 1, 0 },
		{ "leader.web.discoverd", DNS_TYPE_A, DNS_OK, 1, 0, 0 },
		{ "leader.web.discoverd", DNS_TYPE_SRV, DNS_OK, 1, 0, 1 },
		{ "leader.web.discoverd", DNS_TYPE_AAAA, DNS_OK, 0, 1, 0 },
		{ one, DNS_TYPE_A, DNS_OK, 1, 0, 0 },
		{ one, DNS_TYPE_SRV, DNS_OK, 1, 0, 1 },
		{ "idle.discoverd", DNS_TYPE_A, DNS_OK, 0, 1, 0 },
		{ "discoverd", DNS_TYPE_SOA, DNS_OK, 1, 0, 0 },
		{ "discoverd", DNS_TYPE_A, DNS_OK, 0, 1, 0 },
		{ "leader.idle.discoverd", DNS_TYPE_A, DNS_NXDOMAIN, 0, 1, 0 },
		{ "nope.discoverd", DNS_TYPE_A, DNS_NXDOMAIN, 0, 1, 0 },
		{ "_nope._tcp.discoverd", DNS_TYPE_SRV, DNS_NXDOMAIN, 0, 1, 0 },
		{ "_.discoverd", DNS_TYPE_A, DNS_NXDOMAIN, 0, 1, 0 },
		{ "other.web.discoverd", DNS_TYPE_A, DNS_NXDOMAIN, 0, 1, 0 },
		{ "0123.web._i.discoverd", DNS_TYPE_A, DNS_NXDOMAIN, 0, 1, 0 },
		{ "a.b.c.d.discoverd", DNS_TYPE_A, DNS_NXDOMAIN, 0, 1, 0 },
	};
	uint8_t out[DNS_UDP_MAX];

	snprintf(one, sizeof(one), "%s.web._i.discoverd", id_v4);
	for (size_t i = 0; i < fl_nitems(cases); i++) {
		size_t len = ask(*state, cases[i].name, cases[i].type, out, sizeof(out));

		if (len < DNS_HEADER_LEN || (out[3] & 15) != cases[i].rcode || out[7] != cases[i].answers ||
		    out[9] != cases[i].authority || out[11] != cases[i].additional)
			fail_msg("%s type %u: rcode %d, %d answers, %d authority, %d additional", cases[i].name, cases[i].type,
			    out[3] & 15, out[7], out[9], out[11]);
	}
}

static void
before_it_is_known_no_name_is_missing(FL_UNUSED void **state)
{
	struct registry *r = registry_new();
	uint8_t out[DNS_UDP_MIN];

	ask(r, "nope.discoverd", DNS_TYPE_A, out, sizeof(out));
	assert_int_equal(out[3] & 15, DNS_SERVFAIL);
	registry_free(r);
}

static void
many_instances_are_cut_and_marked(void **state)
{
	struct registry *r = *state;
	uint8_t out[DNS_UDP_MIN];
	char addr[32];
	size_t len;

	for (int i = 0; i < 200; i++) {
		snprintf(addr, sizeof(addr), "10.1.0.%d:80", i);
		add(r, addr, "tcp", 100 + (uint64_t)i, NULL);
	}
	len = ask(r, "web.discoverd", DNS_TYPE_A, out, sizeof(out));
	assert_in_range(len, DNS_UDP_MIN - 16, DNS_UDP_MIN);
	assert_true(out[2] & 0x02);
}

static void
the_order_is_random(void **state)
{
	struct registry *r = *state;
	uint8_t out[DNS_UDP_MIN];
	int first = 0;

	add(r, "10.0.0.2:80", "tcp", 50, NULL);
	for (int i = 0; i < 200; i++) {
		size_t len = ask(r, "web.discoverd", DNS_TYPE_A, out, sizeof(out));

		first += out[len - 1] == 2;
	}
	assert_in_range(first, 20, 180);
}

static void
only_names_under_discoverd_are_ours(FL_UNUSED void **state)
{
	static const struct {
		const char *name;
		bool want;
	} cases[] = { { "a.discoverd", true }, { "discoverd", true }, { "discoverd.a", false }, { "a.xdiscoverd", false }, { "", false } };

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct dns_query q = { 0 };

		assert_true(dns_name_set(&q.name, cases[i].name));
		if (dns_zone_has(&q) != cases[i].want)
			fail_msg("%s", cases[i].name);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(names_mean_what_they_say),
		TEST(before_it_is_known_no_name_is_missing),
		TEST(many_instances_are_cut_and_marked),
		TEST(the_order_is_random),
		TEST(only_names_under_discoverd_are_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
