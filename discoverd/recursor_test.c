#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "discoverd/dns_packet.h"
#include "discoverd/recursor.h"
#include "libflynn/args.h"
#include "libflynn/attr.h"
#include "libflynn/err.h"
#include "libflynn/xmalloc.h"

static const uint8_t query[] = "\x12\x34\1\0\0\1\0\0\0\0\0\0\7example\3com\0\0\1\0\1";
enum { QUERY_LEN = sizeof(query) - 1 };

/* A name server of the test's: what it does with a query. */
enum manner { ANSWERS, REFUSES, IS_SILENT, IS_SPOOFED };

struct server {
	enum manner manner;
	int fd;
	struct event *readable;
	char addr[32];
	int asked;
};

static void
on_query(evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct server *s = arg;
	struct sockaddr_in from;
	socklen_t from_len = sizeof(from);
	uint8_t packet[512];
	ssize_t len = recvfrom(fd, packet, sizeof(packet), 0, (struct sockaddr *)&from, &from_len);

	assert_int_equal(len, QUERY_LEN);
	s->asked++;
	packet[2] |= 0x80;
	if (s->manner == REFUSES)
		packet[3] = DNS_REFUSED;
	if (s->manner == IS_SPOOFED)
		packet[0] ^= 1; /* another id first */
	if (s->manner != IS_SILENT)
		sendto(fd, packet, (size_t)len, 0, (struct sockaddr *)&from, from_len);
	packet[0] ^= 1;
	if (s->manner == IS_SPOOFED)
		sendto(fd, packet, (size_t)len, 0, (struct sockaddr *)&from, from_len);
}

static void
server_start(struct server *s, struct event_base *base, enum manner manner)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sin);

	*s = (struct server){ .manner = manner, .fd = socket(AF_INET, SOCK_DGRAM, 0) };
	assert_int_equal(bind(s->fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(getsockname(s->fd, (struct sockaddr *)&sin, &len), 0);
	snprintf(s->addr, sizeof(s->addr), "127.0.0.1:%d", ntohs(sin.sin_port));
	s->readable = event_new(base, s->fd, EV_READ | EV_PERSIST, on_query, s);
	event_add(s->readable, NULL);
}

static void
server_stop(struct server *s)
{
	event_free(s->readable);
	close(s->fd);
}

struct outcome {
	struct event_base *base;
	int calls;
	size_t len;
	uint8_t answer[512];
};

static void
on_answer(const uint8_t *answer, size_t len, void *arg)
{
	struct outcome *o = arg;

	o->calls++;
	o->len = len;
	if (answer != NULL)
		memcpy(o->answer, answer, len);
	event_base_loopbreak(o->base);
}

static struct recursion *
ask(struct recursor *r, struct dns_query *q, struct outcome *o)
{
	enum dns_rcode rcode;

	assert_int_equal(dns_query_parse(query, QUERY_LEN, q, &rcode), DNS_PARSE_OK);
	return recursor_ask(r, query, QUERY_LEN, q, false, on_answer, o);
}

static struct recursor *
recursor_with(struct event_base *base, char **addrs, size_t n)
{
	static const struct fl_args_list none;
	const struct fl_args_list list = { addrs, n };
	struct fl_err err = { 0 };
	struct recursor *r = recursor_new(base, &list, "/nonexistent", &none, &err);

	assert_string_equal(err.msg, "");
	return r;
}

static void
the_first_good_answer_counts(FL_UNUSED void **state)
{
	static const struct {
		enum manner first, second;
		int asked_second, rcode;
	} cases[] = {
		{ ANSWERS, ANSWERS, 0, DNS_OK },
		{ REFUSES, ANSWERS, 1, DNS_OK },
		{ REFUSES, REFUSES, 1, DNS_REFUSED },
		{ IS_SPOOFED, ANSWERS, 0, DNS_OK },
		{ IS_SILENT, ANSWERS, 1, DNS_OK },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct event_base *base = event_base_new();
		struct outcome o = { .base = base };
		struct server a, b;
		struct recursor *r;
		struct dns_query q;

		server_start(&a, base, cases[i].first);
		server_start(&b, base, cases[i].second);
		r = recursor_with(base, (char *[]){ a.addr, b.addr }, 2);
		assert_non_null(ask(r, &q, &o));
		assert_int_equal(o.calls, 0);
		event_base_dispatch(base);
		assert_int_equal(o.calls, 1);
		assert_int_equal(o.len, QUERY_LEN);
		assert_memory_equal(o.answer, query, 2); /* the client's id again */
		assert_int_equal(o.answer[3] & 15, cases[i].rcode);
		assert_int_equal(b.asked, cases[i].asked_second);
		assert_int_equal(recursor_count(r), 0);
		recursor_free(r);
		server_stop(&a);
		server_stop(&b);
		event_base_free(base);
	}
}

static void
no_server_is_a_quick_failure(FL_UNUSED void **state)
{
	struct event_base *base = event_base_new();
	struct outcome o = { .base = base };
	struct recursor *none = recursor_with(base, NULL, 0);
	struct recursor *deaf = recursor_with(base, (char *[]){ (char[]){ "127.0.0.1:1" } }, 1);
	struct dns_query q;

	ask(none, &q, &o);
	event_base_dispatch(base);
	assert_int_equal(o.calls, 1);
	assert_int_equal(o.len, 0);
	ask(deaf, &q, &o); /* nobody listens: the kernel says so at once */
	event_base_dispatch(base);
	assert_int_equal(o.calls, 2);
	assert_int_equal(o.len, 0);
	recursor_free(none);
	recursor_free(deaf);
	event_base_free(base);
}

static void
recursions_are_bounded(FL_UNUSED void **state)
{
	struct event_base *base = event_base_new();
	struct outcome o = { .base = base };
	struct recursion *first;
	struct server s;
	struct recursor *r;
	struct dns_query q;

	server_start(&s, base, IS_SILENT);
	r = recursor_with(base, (char *[]){ s.addr }, 1);
	first = ask(r, &q, &o);
	for (int i = 1; i < RECURSIONS_MAX; i++)
		assert_non_null(ask(r, &q, &o));
	assert_null(ask(r, &q, &o));
	recursion_cancel(first);
	assert_non_null(ask(r, &q, &o));
	recursor_free(r); /* cancels all */
	event_base_loop(base, EVLOOP_NONBLOCK);
	assert_int_equal(o.calls, 0);
	server_stop(&s);
	event_base_free(base);
}

static void
we_are_never_asked_ourselves(FL_UNUSED void **state)
{
	struct event_base *base = event_base_new();
	struct outcome o = { .base = base };
	char path[] = "/tmp/recursor_test.XXXXXX", *own[] = { (char[]){ "127.0.0.7:53" } };
	const struct fl_args_list none = { 0 }, ours = { own, 1 };
	int fd = mkstemp(path);
	struct recursor *r;
	struct dns_query q;

	dprintf(fd, "# comment\nsearch x\nnameserver 127.0.0.7\nnameserver nonsense\n");
	close(fd);
	r = recursor_new(base, &none, path, &ours, NULL);
	assert_non_null(r);
	ask(r, &q, &o);
	event_base_dispatch(base);
	assert_int_equal(o.calls, 1);
	assert_int_equal(o.len, 0);
	recursor_free(r);
	unlink(path);
	event_base_free(base);
}

static void
bad_servers_are_refused(FL_UNUSED void **state)
{
	struct event_base *base = event_base_new();
	char *items[] = { (char[]){ "dns.example.com" } };
	const struct fl_args_list list = { items, 1 }, none = { 0 };
	struct fl_err err = { 0 };

	assert_null(recursor_new(base, &list, "/nonexistent", &none, &err));
	assert_int_equal(err.kind, FL_ERR_INVALID);
	event_base_free(base);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_good_answer_counts),
		cmocka_unit_test(no_server_is_a_quick_failure),
		cmocka_unit_test(recursions_are_bounded),
		cmocka_unit_test(we_are_never_asked_ourselves),
		cmocka_unit_test(bad_servers_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
