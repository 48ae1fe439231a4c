/* What goes between a router and its successor, and what does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "libflynn/attr.h"
#include "router/handover.h"

struct pair {
	int a, b;
};

static int
set_up(void **state)
{
	static struct pair p;
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == -1)
		return -1;
	p = (struct pair){ fds[0], fds[1] };
	*state = &p;
	return 0;
}

static int
tear_down(void **state)
{
	const struct pair *p = *state;

	close(p->a);
	close(p->b);
	return 0;
}

static int
count_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) != -1;
	return n;
}

static void
proof_is_of_one_side_one_key_and_both_nonces(FL_UNUSED void **state)
{
	uint8_t one[HANDOVER_NONCE_LEN] = { 1 }, two[HANDOVER_NONCE_LEN] = { 2 };
	uint8_t proof[HANDOVER_PROOF_LEN], other[HANDOVER_PROOF_LEN];

	handover_prove("key", HANDOVER_SUCCESSOR, one, two, proof);
	handover_prove("key", HANDOVER_SUCCESSOR, one, two, other);
	assert_true(handover_is_proof(proof, other));
	handover_prove("key", HANDOVER_PREDECESSOR, one, two, other);
	assert_false(handover_is_proof(proof, other));
	handover_prove("yek", HANDOVER_SUCCESSOR, one, two, other);
	assert_false(handover_is_proof(proof, other));
	handover_prove("key", HANDOVER_SUCCESSOR, two, one, other);
	assert_false(handover_is_proof(proof, other));
	handover_prove("key", HANDOVER_SUCCESSOR, one, one, other);
	assert_false(handover_is_proof(proof, other));
}

static void
message_and_its_descriptors_arrive(void **state)
{
	const struct pair *p = *state;
	struct handover_message m = handover_message(HANDOVER_GROUP), got;
	int sent[HANDOVER_MAX_FDS], fds[HANDOVER_MAX_FDS], before;
	size_t n = 0;

	m.port = 8080;
	for (size_t i = 0; i < HANDOVER_MAX_FDS; i++)
		sent[i] = p->a;
	before = count_fds();
	assert_int_equal(handover_send(p->a, &m, sent, HANDOVER_MAX_FDS), 0);
	assert_int_equal(handover_receive(p->b, &got, fds, HANDOVER_MAX_FDS, &n), 1);
	assert_int_equal(n, HANDOVER_MAX_FDS);
	assert_int_equal(got.port, 8080);
	assert_int_equal(count_fds(), before + HANDOVER_MAX_FDS);
	while (n > 0) {
		assert_int_equal(fcntl(fds[n - 1], F_GETFD), FD_CLOEXEC);
		close(fds[--n]);
	}
	close(p->a);
	assert_int_equal(handover_receive(p->b, &got, NULL, 0, NULL), 0);
}

static void
what_was_not_asked_for_is_refused_and_not_kept(void **state)
{
	static const char texts[][100] = { "x", "flynnho2", "flynnho1" };
	const struct pair *p = *state;
	struct handover_message m = handover_message(HANDOVER_PROVE), got;
	int fds[HANDOVER_MAX_FDS], before = count_fds();
	size_t n = 7;

	/* Descriptors, where there should be none. */
	assert_int_equal(handover_send(p->a, &m, &p->a, 1), 0);
	assert_int_equal(handover_receive(p->b, &got, NULL, 0, NULL), -1);
	assert_int_equal(errno, EPROTO);
	/* Too short, of another version, too long. */
	for (size_t i = 0; i < fl_nitems(texts); i++) {
		size_t len = i == 0 ? 1 : i == 1 ? sizeof(m) : sizeof(texts[i]);

		assert_int_equal(send(p->a, texts[i], len, 0), (ssize_t)len);
		assert_int_equal(handover_receive(p->b, &got, fds, HANDOVER_MAX_FDS, &n), -1);
		assert_int_equal(errno, EPROTO);
		assert_int_equal(n, 0);
	}
	assert_int_equal(count_fds(), before);
	assert_int_equal(handover_receive(p->b, &got, NULL, 0, NULL), -1);
	assert_int_equal(errno, EAGAIN);
}

static void
meeting_point_is_of_a_port(FL_UNUSED void **state)
{
	struct sockaddr_un addr;
	socklen_t len = handover_address(80, &addr);

	assert_int_equal(addr.sun_family, AF_UNIX);
	assert_int_equal(len, offsetof(struct sockaddr_un, sun_path) + 1 + strlen("flynn-router/80"));
	assert_memory_equal(addr.sun_path, "\0flynn-router/80", 16);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(proof_is_of_one_side_one_key_and_both_nonces),
		cmocka_unit_test_setup_teardown(message_and_its_descriptors_arrive, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_was_not_asked_for_is_refused_and_not_kept, set_up, tear_down),
		cmocka_unit_test(meeting_point_is_of_a_port),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
