#include "router/successor.h"

#include <errno.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "libflynn/clock.h"
#include "libflynn/err.h"
#include "libflynn/log.h"
#include "libflynn/random.h"
#include "router/handover.h"

/* How long each message may take, and all of them. */
#define MESSAGE_S 2
#define ALL_MS 5000

static int
dial(int http_port)
{
	static const struct timeval limit = { .tv_sec = MESSAGE_S };
	struct sockaddr_un addr;
	socklen_t len = handover_address(http_port, &addr);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (fd == -1)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) == 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) == 0 &&
	    connect(fd, (const struct sockaddr *)&addr, len) == 0)
		return fd;
	if (errno != ECONNREFUSED) /* else nobody is there */
		fl_log_warn("cannot ask the running router for its sockets", fl_str("err", strerror(errno)));
	close(fd);
	return -1;
}

static int
ended(int got, struct fl_err *err)
{
	if (got == 0)
		return fl_err_set(err, FL_ERR_UNAVAILABLE, "it ended the connection: is its CLUSTER_KEY another one?");
	return errno == EAGAIN ? fl_err_set(err, FL_ERR_TIMEOUT, "it did not answer within %d s", MESSAGE_S) : fl_err_sys(err, "receive");
}

/* Prove that we know the key. want: what its own proof must be. */
static int
introduce(int fd, const char *key, uint8_t want[HANDOVER_PROOF_LEN], struct fl_err *err)
{
	struct handover_message hello = { .type = 0 }, prove = handover_message(HANDOVER_PROVE);
	int got = handover_receive(fd, &hello, NULL, 0, NULL);

	if (got != 1)
		return ended(got, err);
	if (hello.type != HANDOVER_HELLO)
		return fl_err_set(err, FL_ERR_INVALID, "it does not say hello");
	fl_random_bytes(prove.nonce, sizeof(prove.nonce));
	handover_prove(key, HANDOVER_SUCCESSOR, hello.nonce, prove.nonce, prove.proof);
	handover_prove(key, HANDOVER_PREDECESSOR, hello.nonce, prove.nonce, want);
	return handover_send(fd, &prove, NULL, 0) == 0 ? 0 : fl_err_sys(err, "send");
}

/* Take one message of sockets. 1: there may be more; 0: that was all; -1 with err. */
static int
inherit_one(int fd, const uint8_t want[HANDOVER_PROOF_LEN], struct sockets *inherited, struct fl_err *err)
{
	struct handover_message m = { .type = 0 };
	int fds[HANDOVER_MAX_FDS];
	size_t n = 0;
	int got = handover_receive(fd, &m, fds, HANDOVER_MAX_FDS, &n);

	if (got != 1)
		return ended(got, err);
	if (handover_is_proof(m.proof, want) && m.type == HANDOVER_END && n == 0)
		return 0;
	if (handover_is_proof(m.proof, want) && m.type == HANDOVER_GROUP && m.kind < SOCKET_MAX && n > 0 && m.n == n) {
		sockets_add(inherited, (enum socket_kind)m.kind, m.port, fds, n);
		return 1;
	}
	while (n > 0)
		close(fds[--n]);
	return fl_err_set(err, FL_ERR_DENIED, "it does not prove that it knows CLUSTER_KEY, or says what we do not understand");
}

int
successor_ask(int http_port, const char *key, struct sockets *inherited)
{
	int64_t deadline = fl_clock_ms() + ALL_MS;
	uint8_t want[HANDOVER_PROOF_LEN];
	int fd = dial(http_port), more = 1;
	struct fl_err err = { 0 };

	if (fd == -1)
		return -1;
	if (introduce(fd, key, want, &err) == -1)
		more = -1;
	while (more == 1) {
		more = inherit_one(fd, want, inherited, &err);
		if (more == 1 && fl_clock_ms() > deadline)
			more = fl_err_set(&err, FL_ERR_TIMEOUT, "it did not end within %d ms", ALL_MS);
	}
	if (more == 0)
		return fd;
	fl_log_warn("the running router does not hand over", fl_int("http_port", http_port), fl_str("err", err.msg));
	close(fd);
	return -1;
}

void
successor_ready(int fd)
{
	struct handover_message ready = handover_message(HANDOVER_READY);

	if (handover_send(fd, &ready, NULL, 0) == -1 && errno != EPIPE) /* then it has ended already */
		fl_log_warn("cannot tell the old router that we serve", fl_str("err", strerror(errno)));
}
