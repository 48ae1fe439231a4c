#include "router/predecessor.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libflynn/attr.h"
#include "libflynn/log.h"
#include "libflynn/random.h"
#include "libflynn/xmalloc.h"
#include "router/handover.h"

/* How long until the name of the meeting point is tried again. */
#define AGAIN_S 5
/* How long a stranger may take to prove itself, and a successor to take a message. */
#define PROVE_S 2
#define TAKE_S 2
#define BACKLOG 8

struct predecessor {
	struct predecessor_config cfg;
	int fd; /* the meeting point; -1: none */
	struct event *asked, *again;

	/* Who asks now. */
	int heir_fd; /* -1: nobody */
	struct event *heard;
	bool is_proven;
	uint8_t nonce[HANDOVER_NONCE_LEN];
};

static void
heir_leave(struct predecessor *p)
{
	if (p->heir_fd == -1)
		return;
	event_free(p->heard);
	close(p->heir_fd);
	p->heir_fd = -1;
	p->is_proven = false;
	if (p->asked != NULL)
		event_add(p->asked, NULL);
}

static void
stop_listening(struct predecessor *p)
{
	if (p->asked != NULL)
		event_free(p->asked);
	p->asked = NULL;
	if (p->fd != -1)
		close(p->fd);
	p->fd = -1;
}

static int
send_group(int fd, const uint8_t proof[HANDOVER_PROOF_LEN], enum socket_kind kind, int port, const int *fds, size_t n)
{
	struct handover_message m = handover_message(HANDOVER_GROUP);

	assert(n <= HANDOVER_MAX_FDS); /* one for each thread of the router that had the most */
	m.kind = (uint8_t)kind;
	m.port = (uint16_t)port;
	m.n = (uint32_t)n;
	memcpy(m.proof, proof, sizeof(m.proof));
	return handover_send(fd, &m, fds, n);
}

/* All that we listen on. It knows the key: it may make us wait for a moment. */
static int
bequeath(struct predecessor *p, const uint8_t proof[HANDOVER_PROOF_LEN])
{
	static const struct timeval limit = { .tv_sec = TAKE_S };
	struct handover_message end = handover_message(HANDOVER_END);
	struct socket_group *g;

	memcpy(end.proof, proof, sizeof(end.proof));
	if (fcntl(p->heir_fd, F_SETFL, 0) == -1 ||
	    setsockopt(p->heir_fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) == -1)
		return -1;
	LIST_FOREACH(g, p->cfg.sockets, link) {
		if (send_group(p->heir_fd, proof, g->kind, g->port, g->fds, g->n) == -1)
			return -1;
	}
	if (send_group(p->heir_fd, proof, SOCKET_HANDOVER, 0, &p->fd, 1) == -1)
		return -1;
	return handover_send(p->heir_fd, &end, NULL, 0);
}

static void
on_proof(struct predecessor *p, const struct handover_message *m)
{
	uint8_t want[HANDOVER_PROOF_LEN], ours[HANDOVER_PROOF_LEN];

	handover_prove(p->cfg.key, HANDOVER_SUCCESSOR, p->nonce, m->nonce, want);
	if (!handover_is_proof(m->proof, want)) {
		fl_log_warn("a successor was refused: its CLUSTER_KEY is another one");
		heir_leave(p);
		return;
	}
	handover_prove(p->cfg.key, HANDOVER_PREDECESSOR, p->nonce, m->nonce, ours);
	p->is_proven = true;
	if (bequeath(p, ours) == -1) {
		fl_log_warn("cannot hand over the listening sockets", fl_str("err", strerror(errno)));
		heir_leave(p);
		return;
	}
	fl_log_info("listening sockets handed to a successor: serving until it does");
	event_add(p->heard, NULL); /* it takes its time to learn the routes */
}

static void
on_ready(struct predecessor *p)
{
	struct handover_message bye = handover_message(HANDOVER_BYE);

	fl_log_info("a successor serves");
	stop_listening(p);
	if (handover_send(p->heir_fd, &bye, NULL, 0) == -1)
		fl_log_warn("cannot say goodbye to the successor", fl_str("err", strerror(errno)));
	heir_leave(p);
	p->cfg.on_relieved(p->cfg.arg);
}

static void
on_heard(FL_UNUSED evutil_socket_t fd, short what, void *arg)
{
	struct predecessor *p = arg;
	struct handover_message m = { .type = 0 };
	int got = (what & EV_TIMEOUT) != 0 ? 0 : handover_receive(p->heir_fd, &m, NULL, 0, NULL);

	if (got == 1 && !p->is_proven && m.type == HANDOVER_PROVE) {
		on_proof(p, &m);
	} else if (got == 1 && p->is_proven && m.type == HANDOVER_READY) {
		on_ready(p);
	} else {
		if (p->is_proven)
			fl_log_warn("the successor ended before it served: going on");
		heir_leave(p);
	}
}

static void
on_asked(evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	static const struct timeval limit = { .tv_sec = PROVE_S };
	struct handover_message hello = handover_message(HANDOVER_HELLO);
	struct predecessor *p = arg;
	struct sockaddr_un none;
	socklen_t len = sizeof(none);
	int heir = accept4(fd, (struct sockaddr *)&none, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (heir == -1)
		return;
	event_del(p->asked); /* one at a time */
	p->heir_fd = heir;
	p->heard = event_new(p->cfg.base, heir, EV_READ, on_heard, p);
	fl_random_bytes(p->nonce, sizeof(p->nonce));
	memcpy(hello.nonce, p->nonce, sizeof(hello.nonce));
	if (handover_send(heir, &hello, NULL, 0) == -1)
		heir_leave(p);
	else
		event_add(p->heard, &limit);
}

static void
listen_here(struct predecessor *p, int fd)
{
	p->fd = fd;
	p->asked = event_new(p->cfg.base, fd, EV_READ | EV_PERSIST, on_asked, p);
	event_add(p->asked, NULL);
}

static void
on_again(FL_UNUSED evutil_socket_t none, FL_UNUSED short what, void *arg)
{
	static const struct timeval wait = { .tv_sec = AGAIN_S };
	struct predecessor *p = arg;
	struct sockaddr_un addr;
	socklen_t len = handover_address(p->cfg.http_port, &addr);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd != -1 && bind(fd, (const struct sockaddr *)&addr, len) == 0 && listen(fd, BACKLOG) == 0) {
		listen_here(p, fd);
		return;
	}
	fl_log_debug("no successor can ask yet", fl_str("err", strerror(errno)));
	if (fd != -1)
		close(fd);
	event_add(p->again, &wait);
}

struct predecessor *
predecessor_new(const struct predecessor_config *config, int fd)
{
	struct predecessor *p = fl_xcalloc(1, sizeof(*p));

	p->cfg = *config;
	p->fd = p->heir_fd = -1;
	p->again = evtimer_new(config->base, on_again, p);
	if (fd != -1)
		listen_here(p, fd);
	else
		on_again(-1, 0, p);
	return p;
}

bool
predecessor_is_leaving(const struct predecessor *p)
{
	return p->is_proven;
}

void
predecessor_free(struct predecessor *p)
{
	if (p == NULL)
		return;
	stop_listening(p);
	heir_leave(p);
	event_free(p->again);
	free(p);
}
