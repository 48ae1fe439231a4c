/* Orders step by step, without a server; and when they are made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "libflynn/attr.h"
#include "libflynn/err.h"
#include "libflynn/json.h"
#include "router/acme_decide.h"

#define ORDER(status, more)                                                                            \
	"{\"status\":\"" status "\",\"finalize\":\"https://ca/f/1\",\"authorizations\":[\"https://ca/a/1\"]" more "}"
#define HTTP "{\"type\":\"http-01\",\"url\":\"https://ca/c/http\",\"token\":\"tok-1\"}"
#define ALPN "{\"type\":\"tls-alpn-01\",\"url\":\"https://ca/c/alpn\",\"token\":\"tok-2\"}"
#define DNS "{\"type\":\"dns-01\",\"url\":\"https://ca/c/dns\",\"token\":\"tok-3\"}"
#define AUTHZ(status, challenges) "{\"status\":\"" status "\",\"challenges\":[" challenges "]}"
#define PROBLEM "{\"type\":\"urn:ietf:params:acme:error:dns\",\"detail\":\"no address\"}"

static int
say(struct acme_progress *p, const char *json, int64_t retry_after_s, int *wait_ms, struct fl_err *err)
{
	struct acme_reply reply = { .status = 200, .location = "https://ca/o/1", .retry_after_s = retry_after_s, .body = json };
	int ret;

	reply.len = strlen(json);
	reply.json = fl_json_parse(json, reply.len, NULL);
	ret = acme_decide(p, &reply, wait_ms, err);
	fl_json_free((struct fl_json *)reply.json);
	return ret;
}

/* One answer after the other, and the step after each. */
static void
order_goes_its_way(FL_UNUSED void **state)
{
	static const struct {
		const char *json;
		enum acme_step next;
	} talk[] = {
		{ ORDER("pending", ""), ACME_AUTHZ },
		{ AUTHZ("pending", DNS "," HTTP "," ALPN), ACME_PUBLISH },
		{ NULL, ACME_RESPOND },
		{ HTTP, ACME_POLL_AUTHZ },
		{ AUTHZ("pending", HTTP), ACME_POLL_AUTHZ },
		{ AUTHZ("valid", HTTP), ACME_POLL_ORDER },
		{ ORDER("pending", ""), ACME_POLL_ORDER },
		{ ORDER("ready", ""), ACME_FINALIZE },
		{ ORDER("processing", ""), ACME_POLL_ORDER },
		{ ORDER("processing", ""), ACME_POLL_ORDER },
		{ ORDER("valid", ",\"certificate\":\"https://ca/cert/1\""), ACME_FETCH },
		{ "-----BEGIN", ACME_STEP_DONE },
	};
	struct acme_progress p = { .wants = ACME_HTTP_01 };
	struct fl_err err = { 0 };
	int wait_ms = -1;

	for (size_t i = 0; i < fl_nitems(talk); i++) {
		if (talk[i].json == NULL)
			assert_int_equal(acme_decide(&p, NULL, &wait_ms, &err), 0);
		else if (say(&p, talk[i].json, -1, &wait_ms, &err) == -1)
			fail_msg("%zu: %s", i, err.msg);
		assert_int_equal(p.step, talk[i].next);
	}
	assert_string_equal(p.order_url, "https://ca/o/1");
	assert_string_equal(p.challenge_url, "https://ca/c/http");
	assert_string_equal(p.token, "tok-1");
	assert_string_equal(p.cert_url, "https://ca/cert/1");
	acme_progress_release(&p);
}

static void
known_domain_needs_no_challenge(FL_UNUSED void **state)
{
	struct acme_progress p = { 0 };
	int wait_ms;

	assert_int_equal(say(&p, ORDER("ready", ""), -1, &wait_ms, NULL), 0);
	assert_int_equal(p.step, ACME_FINALIZE);
	acme_progress_release(&p);
	assert_int_equal(say(&p, ORDER("pending", ""), -1, &wait_ms, NULL), 0);
	assert_int_equal(say(&p, AUTHZ("valid", ""), -1, &wait_ms, NULL), 0);
	assert_int_equal(p.step, ACME_POLL_ORDER);
	acme_progress_release(&p);
}

static void
challenge_is_the_wanted_one_or_what_there_is(FL_UNUSED void **state)
{
	static const struct {
		enum acme_challenge wants, chosen;
		const char *json;
	} cases[] = {
		{ ACME_HTTP_01, ACME_HTTP_01, AUTHZ("pending", ALPN "," HTTP) },
		{ ACME_TLS_ALPN_01, ACME_TLS_ALPN_01, AUTHZ("pending", HTTP "," ALPN) },
		{ ACME_HTTP_01, ACME_TLS_ALPN_01, AUTHZ("pending", DNS "," ALPN) },
		{ ACME_TLS_ALPN_01, ACME_HTTP_01, AUTHZ("pending", HTTP) },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct acme_progress p = { .wants = cases[i].wants, .step = ACME_AUTHZ };
		int wait_ms;

		assert_int_equal(say(&p, cases[i].json, -1, &wait_ms, NULL), 0);
		assert_int_equal(p.step, ACME_PUBLISH);
		assert_int_equal(p.chosen, cases[i].chosen);
		acme_progress_release(&p);
	}
}

static void
what_fails_is_said(FL_UNUSED void **state)
{
	static const struct {
		enum acme_step step;
		const char *json, *why;
	} cases[] = {
		{ ACME_ORDER, "nonsense", "no JSON object" },
		{ ACME_ORDER, "[]", "no JSON object" },
		{ ACME_ORDER, "{}", "no URL of the order's end" },
		{ ACME_ORDER, "{\"status\":\"pending\",\"finalize\":\"https://ca/f\"}", "not one authorisation" },
		{ ACME_ORDER, "{\"status\":\"pending\",\"finalize\":\"file:///etc/passwd\"}", "no URL" },
		{ ACME_ORDER, "{\"status\":\"pending\",\"finalize\":\"https://ca/f\",\"authorizations\":[7]}", "no URL of the authorisation" },
		{ ACME_ORDER, ORDER("valid", ",\"certificate\":\"https://ca/x\""), "before it had a signing request" },
		{ ACME_ORDER, ORDER("invalid", ",\"error\":" PROBLEM), "the order failed: no address (dns)" },
		{ ACME_AUTHZ, "{}", "no status" },
		{ ACME_AUTHZ, AUTHZ("pending", DNS), "neither http-01 nor tls-alpn-01" },
		{ ACME_AUTHZ, AUTHZ("pending", ""), "neither" },
		{ ACME_AUTHZ, AUTHZ("pending", "{\"type\":\"http-01\",\"url\":\"https://ca/c\",\"token\":\"../x\"}"), "no token" },
		{ ACME_AUTHZ, AUTHZ("pending", "{\"type\":\"http-01\",\"url\":\"https://ca/c\"}"), "no token" },
		{ ACME_AUTHZ, AUTHZ("pending", "{\"type\":\"http-01\",\"token\":\"x\"}"), "no URL of the challenge" },
		{ ACME_AUTHZ, AUTHZ("deactivated", HTTP), "\"deactivated\"" },
		{ ACME_POLL_AUTHZ, AUTHZ("invalid", DNS ",{\"type\":\"http-01\",\"error\":" PROBLEM "}"),
		    "the domain could not be validated by http-01: no address (dns)" },
		{ ACME_POLL_AUTHZ, AUTHZ("expired", HTTP), "\"expired\" and does not say why" },
		{ ACME_POLL_ORDER, "{\"status\":\"odd\"}", "no status" },
		{ ACME_POLL_ORDER, ORDER("invalid", ""), "does not say why" },
		{ ACME_FINALIZE, ORDER("valid", ""), "no URL of the certificate" },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct acme_progress p = { .step = cases[i].step };
		struct fl_err err = { 0 };
		int wait_ms;

		assert_int_equal(say(&p, cases[i].json, -1, &wait_ms, &err), -1);
		if (strstr(err.msg, cases[i].why) == NULL)
			fail_msg("%s says: %s", cases[i].json, err.msg);
		acme_progress_release(&p);
	}
}

static void
polls_are_bounded(FL_UNUSED void **state)
{
	static const struct {
		enum acme_step step;
		const char *json;
	} cases[] = {
		{ ACME_POLL_AUTHZ, AUTHZ("pending", HTTP) },
		{ ACME_POLL_ORDER, ORDER("processing", "") },
		{ ACME_FINALIZE, ORDER("ready", "") }, /* finalised once, never again */
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct acme_progress p = { .step = cases[i].step };
		struct fl_err err = { 0 };
		int n = 0, wait_ms = 0, waited_ms = 0;

		while (say(&p, cases[i].json, -1, &wait_ms, &err) == 0 && n++ < 1000) {
			assert_true(wait_ms >= 300);
			assert_int_not_equal(p.step, ACME_FINALIZE);
			waited_ms += wait_ms;
		}
		assert_int_equal(n, ACME_MAX_POLLS);
		assert_int_equal(err.kind, FL_ERR_TIMEOUT);
		assert_true(waited_ms < 300000);
		acme_progress_release(&p);
	}
}

static void
server_says_how_long_to_wait(FL_UNUSED void **state)
{
	static const struct {
		int64_t retry_after_s;
		int wait_ms;
	} cases[] = { { -1, 300 }, { 0, 300 }, { 3, 3000 }, { 100000, ACME_MAX_POLL_S * 1000 } };

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct acme_progress p = { .step = ACME_POLL_ORDER };
		int wait_ms = 0;

		assert_int_equal(say(&p, ORDER("processing", ""), cases[i].retry_after_s, &wait_ms, NULL), 0);
		assert_int_equal(wait_ms, cases[i].wait_ms);
		acme_progress_release(&p);
	}
}

static void
retry_after_is_seconds_or_a_date(FL_UNUSED void **state)
{
	static const struct {
		const char *value;
		int64_t s;
	} cases[] = {
		{ NULL, -1 }, { "", -1 }, { "soon", -1 }, { "-5", -1 }, { "12x", -1 }, { "0", 0 }, { "120", 120 }, { " 7 ", 7 },
		{ "99999999999999999999", 604800 }, { "Sun, 06 Nov 1994 08:49:37 GMT", 37 }, { "Sun, 06 Nov 1994 08:00:00 GMT", 0 },
		{ "Sun, 06 Nov 1994 08:49:37 CET", -1 }, { "Mon, 06 Nov 2034 08:49:37 GMT", 604800 },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++)
		assert_int_equal(acme_retry_after(cases[i].value, 784111740), cases[i].s);
}

static void
failures_are_further_and_further_apart(FL_UNUSED void **state)
{
	int64_t sum = 0;

	assert_int_equal(acme_backoff_s(1, 120, -1, 0), 120);
	assert_int_equal(acme_backoff_s(2, 120, -1, 0), 240);
	assert_int_equal(acme_backoff_s(100, 120, -1, 0), 86400);
	assert_int_equal(acme_backoff_s(1, 120, 3000, 0), 3000);
	assert_int_equal(acme_backoff_s(1, 120, 5, 0), 120);
	assert_int_equal(acme_backoff_s(1, 120, 99999999, 0), 604800);
	for (uint32_t random = 0; random < 10000; random += 7) {
		int64_t s = acme_backoff_s(3, 120, -1, random);

		assert_true(s >= 480 && s <= 600);
	}
	/* By themselves, no more than five orders an hour. */
	for (int i = 1; i <= 5; i++)
		sum += acme_backoff_s(i, 120, -1, 0);
	assert_true(sum > 3600);
}

static void
renewal_comes_after_two_thirds(FL_UNUSED void **state)
{
	static const int64_t day = 86400;

	assert_int_equal(acme_renew_at(0, 90 * day, 0, 0), 60 * day);
	for (uint32_t random = 1; random != 0; random <<= 1) {
		int64_t at = acme_renew_at(0, 90 * day, 0, random);

		assert_true(at >= 60 * day && at < 64 * day + day / 2 + 1);
	}
	/* One that was old when it came: there is no loop, whatever the server thinks of life. */
	assert_int_equal(acme_renew_at(0, 90 * day, 87 * day, 0), 88 * day);
	assert_int_equal(acme_renew_at(0, 90 * day, 100 * day, 0), 60 * day); /* it has ended */
	assert_int_equal(acme_renew_at(100, 109, 100, 5), 106);
}

static void
orders_are_due_when_they_help(FL_UNUSED void **state)
{
	static const struct {
		struct acme_facts facts;
		int64_t due;
	} cases[] = {
		{ { .state = ACME_WAITING }, 0 },
		{ { .is_own = true }, INT64_MAX },
		{ { .is_own = true, .state = ACME_FAILED, .next_s = 5 }, INT64_MAX },
		{ { .state = ACME_FAILED, .next_s = 5000 }, 5000 },
		{ { .state = ACME_ORDERING, .next_s = 5000 }, 5000 }, /* its router died */
		{ { .state = ACME_VALID, .next_s = 5000 }, 0 }, /* the certificate was taken away */
		{ { .has_cert = true, .not_before = 0, .not_after = 9000 }, 6000 },
		{ { .has_cert = true, .not_before = 0, .not_after = 9000, .state = ACME_VALID, .next_s = 7000 }, 7000 },
		{ { .has_cert = true, .not_before = 0, .not_after = 9000, .state = ACME_VALID, .next_s = 10 }, 6000 },
		{ { .has_cert = true, .not_before = 0, .not_after = 9000, .state = ACME_FAILED, .next_s = 8000 }, 8000 },
		/* It came, but that it did could not be noted. */
		{ { .has_cert = true, .not_before = 0, .not_after = 9000, .state = ACME_ORDERING, .next_s = 100 }, 6000 },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++)
		assert_int_equal(acme_due(&cases[i].facts), cases[i].due);
}

static void
window_lets_so_many_through_an_hour(FL_UNUSED void **state)
{
	int64_t times[5] = { 0 };
	int n = 0;

	for (int64_t now = 1000000; now < 1000000 + 3 * 3600; now += 10)
		n += acme_window_take(times, fl_nitems(times), now);
	assert_int_equal(n, 15);
}

static void
problem_becomes_a_sentence(FL_UNUSED void **state)
{
	static const struct {
		const char *json, *type, *text;
	} cases[] = {
		{ PROBLEM, "dns", "no address (dns)" },
		{ "{\"type\":\"urn:ietf:params:acme:error:malformed\",\"detail\":\"two\",\"subproblems\":[{\"detail\":\"one\"}]}",
		    "malformed", "two: one (malformed)" },
		{ "{\"type\":\"about:blank\"}", "", "no detail (about:blank)" },
		{ "{\"detail\":\"x\"}", "", "x (no type)" },
		{ "{}", "", NULL },
		{ "[1]", "", NULL },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct fl_json *v = fl_json_parse(cases[i].json, strlen(cases[i].json), NULL);
		const char *type = NULL;
		char text[64];

		assert_int_equal(acme_problem(v, &type, text, sizeof(text)), cases[i].text != NULL);
		assert_string_equal(type, cases[i].type);
		if (cases[i].text != NULL)
			assert_string_equal(text, cases[i].text);
		fl_json_free(v);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(order_goes_its_way),
		cmocka_unit_test(known_domain_needs_no_challenge),
		cmocka_unit_test(challenge_is_the_wanted_one_or_what_there_is),
		cmocka_unit_test(what_fails_is_said),
		cmocka_unit_test(polls_are_bounded),
		cmocka_unit_test(server_says_how_long_to_wait),
		cmocka_unit_test(retry_after_is_seconds_or_a_date),
		cmocka_unit_test(failures_are_further_and_further_apart),
		cmocka_unit_test(renewal_comes_after_two_thirds),
		cmocka_unit_test(orders_are_due_when_they_help),
		cmocka_unit_test(window_lets_so_many_through_an_hour),
		cmocka_unit_test(problem_becomes_a_sentence),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
