#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "discoverd/dns_packet.h"
#include "libflynn/attr.h"

/* A question for a.discoverd, type A. */
#define HEADER(flags, qd, an, ns, ar) "\x12\x34" flags "\0" qd "\0" an "\0" ns "\0" ar
#define QUESTION "\1A\11Discoverd\0\0\1\0\1"
#define OPT(size, version) "\0\0\x29" size "\0" version "\0\0\0\0"

struct packet {
	const char *name;
	const char *data;
	size_t len;
	enum dns_parse want;
	enum dns_rcode rcode;
};
#define P(s) s, sizeof(s) - 1

static void
hostile_packets_are_refused(FL_UNUSED void **state)
{
	static const struct packet cases[] = {
		{ "plain", P(HEADER("\1\0", "\1", "\0", "\0", "\0") QUESTION), DNS_PARSE_OK, DNS_OK },
		{ "with EDNS", P(HEADER("\1\0", "\1", "\0", "\0", "\1") QUESTION OPT("\x10\0", "\0")), DNS_PARSE_OK, DNS_OK },
		{ "the root", P(HEADER("\1\0", "\1", "\0", "\0", "\0") "\0\0\1\0\1"), DNS_PARSE_OK, DNS_OK },
		{ "empty", P(""), DNS_PARSE_DROP, DNS_OK },
		{ "short header", P("\x12\x34\1\0\0\1\0\0\0\0\0"), DNS_PARSE_DROP, DNS_OK },
		{ "an answer", P(HEADER("\x81\0", "\1", "\0", "\0", "\0") QUESTION), DNS_PARSE_DROP, DNS_OK },
		{ "an update", P(HEADER("\x29\0", "\1", "\0", "\0", "\0") QUESTION), DNS_PARSE_ERROR, DNS_NOTIMP },
		{ "no question", P(HEADER("\1\0", "\0", "\0", "\0", "\0")), DNS_PARSE_ERROR, DNS_FORMERR },
		{ "two questions", P(HEADER("\1\0", "\2", "\0", "\0", "\0") QUESTION QUESTION), DNS_PARSE_ERROR, DNS_FORMERR },
		{ "an answer record", P(HEADER("\1\0", "\1", "\1", "\0", "\0") QUESTION), DNS_PARSE_ERROR, DNS_FORMERR },
		{ "an authority record", P(HEADER("\1\0", "\1", "\0", "\1", "\0") QUESTION), DNS_PARSE_ERROR, DNS_FORMERR },
		{ "question cut in its name", P(HEADER("\1\0", "\1", "\0", "\0", "\0") "\1A\11Disco"), DNS_PARSE_ERROR, DNS_FORMERR },
		{ "question cut in its type", P(HEADER("\1\0", "\1", "\0", "\0", "\0") "\1A\0\0\1\0"), DNS_PARSE_ERROR, DNS_FORMERR },
		{ "pointer to itself", P(HEADER("\1\0", "\1", "\0", "\0", "\0") "\xc0\x0c\0\1\0\1"), DNS_PARSE_ERROR, DNS_FORMERR },
		{ "reserved label kind", P(HEADER("\1\0", "\1", "\0", "\0", "\0") "\x40\0\0\1\0\1"), DNS_PARSE_ERROR, DNS_FORMERR },
		{ "garbage behind", P(HEADER("\1\0", "\1", "\0", "\0", "\0") QUESTION "x"), DNS_PARSE_ERROR, DNS_FORMERR },
		{ "OPT missing", P(HEADER("\1\0", "\1", "\0", "\0", "\1") QUESTION), DNS_PARSE_ERROR, DNS_FORMERR },
		{ "OPT cut", P(HEADER("\1\0", "\1", "\0", "\0", "\1") QUESTION "\0\0\x29\x10"), DNS_PARSE_ERROR, DNS_FORMERR },
		{ "OPT longer than the packet", P(HEADER("\1\0", "\1", "\0", "\0", "\1") QUESTION "\0\0\x29\x10\0\0\0\0\0\0\7"), DNS_PARSE_ERROR, DNS_FORMERR },
		{ "OPT twice", P(HEADER("\1\0", "\1", "\0", "\0", "\2") QUESTION OPT("\x10\0", "\0") OPT("\x10\0", "\0")), DNS_PARSE_ERROR, DNS_FORMERR },
		{ "OPT with a name", P(HEADER("\1\0", "\1", "\0", "\0", "\1") QUESTION "\1a" OPT("\x10\0", "\0")), DNS_PARSE_ERROR, DNS_FORMERR },
		{ "EDNS of the future", P(HEADER("\1\0", "\1", "\0", "\0", "\1") QUESTION OPT("\x10\0", "\1")), DNS_PARSE_ERROR, DNS_BADVERS },
		{ "too many records", P(HEADER("\1\0", "\1", "\0", "\0", "\x20") QUESTION), DNS_PARSE_ERROR, DNS_FORMERR },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct dns_query q;
		enum dns_rcode rcode = DNS_OK;
		enum dns_parse got = dns_query_parse((const uint8_t *)cases[i].data, cases[i].len, &q, &rcode);

		if (got != cases[i].want || (got != DNS_PARSE_DROP && rcode != cases[i].rcode))
			fail_msg("%s: got %d, rcode %d", cases[i].name, got, rcode);
	}
}

static void
a_name_may_have_255_bytes_and_no_more(FL_UNUSED void **state)
{
	uint8_t packet[DNS_HEADER_LEN + 400] = { 0, 1, 1, 0, 0, 1 };
	struct dns_query q;
	enum dns_rcode rcode;
	size_t at = DNS_HEADER_LEN;

	for (int i = 0; i < 127; i++) { /* 127 labels of one byte, and the root: 255 */
		packet[at++] = 1;
		packet[at++] = 'a';
	}
	assert_int_equal(dns_query_parse(packet, at + 5, &q, &rcode), DNS_PARSE_OK);
	assert_int_equal(q.name.n_labels, DNS_LABELS_MAX);
	packet[DNS_HEADER_LEN] = 2; /* now the labels are cut differently */
	packet[at++] = 1;
	packet[at++] = 'a';
	assert_int_equal(dns_query_parse(packet, at + 5, &q, &rcode), DNS_PARSE_ERROR);
}

static void
parse(const char *data, size_t len, struct dns_query *q)
{
	enum dns_rcode rcode;

	assert_int_equal(dns_query_parse((const uint8_t *)data, len, q, &rcode), DNS_PARSE_OK);
}

static void
labels_are_compared_without_case(FL_UNUSED void **state)
{
	static const char query[] = HEADER("\1\0", "\1", "\0", "\0", "\0") QUESTION;
	struct dns_query q;
	char text[64];

	parse(query, sizeof(query) - 1, &q);
	assert_int_equal(q.id, 0x1234);
	assert_int_equal(q.name.n_labels, 2);
	assert_true(dns_name_label_is(&q.name, 1, "discoverd"));
	assert_false(dns_name_label_is(&q.name, 1, "discover"));
	assert_true(dns_name_label(&q.name, 0, text, sizeof(text)));
	assert_string_equal(text, "a");
	assert_false(dns_name_label(&q.name, 1, text, 9)); /* no room */
}

static void
a_reply_repeats_the_question_as_it_was_written(FL_UNUSED void **state)
{
	static const char query[] = HEADER("\1\0", "\1", "\0", "\0", "\0") QUESTION;
	static const uint8_t addr[4] = { 10, 0, 0, 1 };
	static const char want[] = "\x12\x34\x85\x80\0\1\0\1\0\0\0\0" QUESTION "\xc0\x0c\0\1\0\1\0\0\0\0\0\4\x0a\0\0\1";
	struct dns_query q;
	struct dns_reply r;
	uint8_t out[DNS_UDP_MIN];
	size_t len;

	parse(query, sizeof(query) - 1, &q);
	dns_reply_start(&r, out, sizeof(out), (const uint8_t *)query, &q);
	dns_reply_addr(&r, DNS_ANSWER, NULL, addr, sizeof(addr));
	len = dns_reply_end(&r, DNS_OK, true);
	assert_int_equal(len, sizeof(want) - 1);
	assert_memory_equal(out, want, len);
}

static void
what_does_not_fit_sets_tc(FL_UNUSED void **state)
{
	static const char query[] = HEADER("\1\0", "\1", "\0", "\0", "\1") QUESTION OPT("\2\0", "\0");
	static const uint8_t addr[4] = { 10, 0, 0, 1 };
	uint8_t *out = test_malloc(DNS_UDP_MIN);
	struct dns_query q;
	struct dns_reply r;
	size_t len, n = 0;

	parse(query, sizeof(query) - 1, &q);
	dns_reply_start(&r, out, DNS_UDP_MIN, (const uint8_t *)query, &q);
	while (!r.cut) {
		dns_reply_addr(&r, DNS_ANSWER, NULL, addr, sizeof(addr));
		n++;
	}
	len = dns_reply_end(&r, DNS_OK, true);
	assert_in_range(len, DNS_UDP_MIN - 16, DNS_UDP_MIN);
	assert_true(out[2] & 0x02);
	assert_int_equal(out[7], n - 1);
	assert_int_equal(out[11], 1); /* our OPT had its room kept */
	test_free(out);
}

static void
additional_records_that_do_not_fit_cut_nothing(FL_UNUSED void **state)
{
	static const char query[] = HEADER("\1\0", "\1", "\0", "\0", "\0") QUESTION;
	static const uint8_t addr[16] = { 0xfd };
	struct dns_query q;
	struct dns_reply r;
	uint8_t out[DNS_UDP_MIN];

	parse(query, sizeof(query) - 1, &q);
	dns_reply_start(&r, out, sizeof(out), (const uint8_t *)query, &q);
	for (int i = 0; i < 100; i++)
		dns_reply_addr(&r, DNS_ADDITIONAL, NULL, addr, sizeof(addr));
	dns_reply_end(&r, DNS_OK, true);
	assert_false(out[2] & 0x02);
}

static void
only_an_answer_to_the_question_is_taken(FL_UNUSED void **state)
{
	static const char query[] = HEADER("\1\0", "\1", "\0", "\0", "\0") QUESTION;
	static const struct {
		const char *name, *data;
		size_t len;
		bool want;
	} cases[] = {
		{ "the same", P(HEADER("\x81\x80", "\1", "\0", "\0", "\0") QUESTION), true },
		{ "other case", P(HEADER("\x81\x80", "\1", "\0", "\0", "\0") "\1a\11discovERD\0\0\1\0\1"), true },
		{ "a bare error", P(HEADER("\x81\x82", "\0", "\0", "\0", "\0")), true },
		{ "a bare success", P(HEADER("\x81\x80", "\0", "\0", "\0", "\0")), false },
		{ "a query", P(HEADER("\1\0", "\1", "\0", "\0", "\0") QUESTION), false },
		{ "other id", P("\x12\x35\x81\x80\0\1\0\0\0\0\0\0" QUESTION), false },
		{ "other name", P(HEADER("\x81\x80", "\1", "\0", "\0", "\0") "\1b\11discoverd\0\0\1\0\1"), false },
		{ "other type", P(HEADER("\x81\x80", "\1", "\0", "\0", "\0") "\1a\11discoverd\0\0\x1c\0\1"), false },
		{ "cut", P(HEADER("\x81\x80", "\1", "\0", "\0", "\0") "\1a"), false },
		{ "too short", P("\x12\x34\x81"), false },
	};
	struct dns_query q;

	parse(query, sizeof(query) - 1, &q);
	for (size_t i = 0; i < fl_nitems(cases); i++) {
		enum dns_rcode rcode;
		bool cut;

		if (dns_is_answer_to((const uint8_t *)cases[i].data, cases[i].len, (const uint8_t *)query, &q, &rcode, &cut) != cases[i].want)
			fail_msg("%s", cases[i].name);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(hostile_packets_are_refused),
		cmocka_unit_test(a_name_may_have_255_bytes_and_no_more),
		cmocka_unit_test(labels_are_compared_without_case),
		cmocka_unit_test(a_reply_repeats_the_question_as_it_was_written),
		cmocka_unit_test(what_does_not_fit_sets_tc),
		cmocka_unit_test(additional_records_that_do_not_fit_cut_nothing),
		cmocka_unit_test(only_an_answer_to_the_question_is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
