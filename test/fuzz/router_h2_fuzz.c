/*
 * router_h2_fuzz - an HTTP/2 client and an instance that do as the input says, with a real worker in between.
 *
 * Whatever they do, what the router sends is well-formed HTTP/2, and nothing is left when they have gone. Input is
 * a list of steps, each a byte that says which, and two with the length of what belongs to it.
 */
#include <nghttp2/nghttp2.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "libflynn/attr.h"
#include "libflynn/log.h"
#include "router/admission.h"
#include "router/backend.h"
#include "router/client.h"
#include "router/h2_internal.h"
#include "router/listener.h"
#include "router/plane.h"
#include "router/tally.h"
#include "router/upstream.h"
#include "router/worker.h"
#include "test/fuzz/expect.h"
#include "test/fuzz/router_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum step { STEP_GREET, STEP_CLIENT, STEP_INSTANCE, STEP_INSTANCE_ENDS, STEP_MUTE, STEP_EXPIRE, STEP_DRAIN, STEP_CLIENT_ENDS, STEP_MAX };

#define INSTANCES_MAX 128
/* Turns that may follow one another without any event. */
#define TURNS_MAX 1000
/* What the router should hold at most when its memory is short. */
#define MEMORY_SHORT (16u << 10)

static struct router_world world;

struct run {
	int client;
	bool is_mute; /* the client does not read */
	bool is_h2;   /* as far as what was sent says */
	int instances[INSTANCES_MAX];
	size_t n_instances;
	char out[1 << 16]; /* of the router: part of a frame */
	size_t len;
	nghttp2_hd_inflater *inflater;
};

static void
set_up(void)
{
	world.plane.admission = admission_new(2, 0);
	world.plane.head_timeout_ms = world.plane.answer_timeout_ms = world.plane.start_timeout_ms = 60000;
	world.plane.idle_timeout_ms = world.plane.body_timeout_ms = world.plane.send_timeout_ms = 60000;
	router_world_open(&world);
}

static void
check_head(struct run *r, const uint8_t *block, size_t len)
{
	for (;;) {
		nghttp2_nv nv;
		int flags = 0;
		ssize_t n = nghttp2_hd_inflate_hd2(r->inflater, &nv, &flags, block, len, 1);

		expect(n >= 0);
		block += n;
		len -= (size_t)n;
		if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0) {
			for (size_t i = 0; i < nv.namelen; i++)
				expect(nv.name[i] > ' ' && nv.name[i] < 0x7f && !(nv.name[i] >= 'A' && nv.name[i] <= 'Z'));
			expect(memchr(nv.value, '\n', nv.valuelen) == NULL && memchr(nv.value, '\r', nv.valuelen) == NULL);
		}
		if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0)
			break;
		expect((flags & NGHTTP2_HD_INFLATE_EMIT) != 0 || len > 0);
	}
	nghttp2_hd_inflate_end_headers(r->inflater);
}

/* Take the frames that are whole. */
static void
check_frames(struct run *r)
{
	uint8_t *at = (uint8_t *)r->out, *end = at + r->len;

	while (end - at >= 9) {
		size_t len = (size_t)at[0] << 16 | (size_t)at[1] << 8 | at[2];

		/* The client may have allowed longer ones, but nghttp2 makes none. */
		expect(len <= 16384 && at[3] <= NGHTTP2_CONTINUATION && at[3] != NGHTTP2_PUSH_PROMISE);
		if ((size_t)(end - at) < 9 + len)
			break;
		if (at[3] == NGHTTP2_HEADERS && (at[4] & NGHTTP2_FLAG_END_HEADERS) != 0)
			check_head(r, at + 9, len);
		at += 9 + len;
	}
	r->len = (size_t)(end - at);
	memmove(r->out, at, r->len);
}

static void
read_client(struct run *r)
{
	ssize_t n;

	while (!r->is_mute && (n = recv(r->client, r->out + r->len, sizeof(r->out) - r->len, MSG_DONTWAIT)) > 0) {
		r->len += (size_t)n;
		if (r->is_h2)
			check_frames(r);
		else
			r->len = 0;
	}
}

static void
accept_instances(struct run *r)
{
	struct sockaddr_un addr;
	socklen_t len = sizeof(addr);
	int fd;

	while (r->n_instances < INSTANCES_MAX &&
	    (fd = accept4(world.listen_fd, (struct sockaddr *)&addr, &len, SOCK_NONBLOCK | SOCK_CLOEXEC)) != -1) {
		len = sizeof(addr);
		r->instances[r->n_instances++] = fd;
	}
}

/* What requests the router has sent. */
static void
read_instances(struct run *r)
{
	char scratch[4096];

	for (size_t i = 0; i < r->n_instances; i++)
		while (recv(r->instances[i], scratch, sizeof(scratch), MSG_DONTWAIT) > 0)
			;
}

/* Until nothing happens any more. */
static void
settle(struct run *r)
{
	for (int i = 0; i < 4; i++) {
		int turns = 0;

		do
			worker_turn(world.w, 0);
		while (!TAILQ_EMPTY(&world.w->again) && ++turns < TURNS_MAX);
		expect(turns < TURNS_MAX); /* it turns round for ever */
		accept_instances(r);
		read_client(r);
	}
}

static void
expire(struct timer *t)
{
	if (t->tick == 0)
		return;
	timer_clear(t);
	t->on_due(t);
}

/* Something took too long: the connection, or its latest stream. */
static void
expire_client(bool is_stream)
{
	struct client *c = LIST_FIRST(&world.w->clients);
	struct h2_stream *s = c != NULL && c->h2 != NULL ? LIST_FIRST(&c->h2->streams) : NULL;

	if (is_stream && s != NULL)
		expire(&s->c.timer);
	else if (c != NULL)
		expire(&c->timer);
}

static void
greet(struct run *r)
{
	static const char greeting[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";

	if (send(r->client, greeting, sizeof(greeting) - 1, MSG_DONTWAIT) == -1)
		return;
	r->is_h2 = true;
}

static void
end_instance(struct run *r, size_t which)
{
	close(r->instances[which]);
	r->instances[which] = r->instances[--r->n_instances];
}

static void
take_step(struct run *r, enum step step, const uint8_t *data, size_t len)
{
	struct client *c = LIST_FIRST(&world.w->clients);

	switch (step) {
	case STEP_GREET:
		greet(r);
		break;
	case STEP_CLIENT:
		if (r->is_h2) /* else what comes back is not known to be frames */
			(void)!send(r->client, data, len, MSG_DONTWAIT);
		break;
	case STEP_INSTANCE:
		if (r->n_instances > 0)
			(void)!send(r->instances[r->n_instances - 1], data, len, MSG_DONTWAIT);
		break;
	case STEP_INSTANCE_ENDS:
		read_instances(r);
		if (r->n_instances > 0)
			end_instance(r, len % r->n_instances);
		break;
	case STEP_MUTE:
		r->is_mute = !r->is_mute;
		world.w->blocks.max = len % 2 == 1 ? MEMORY_SHORT : 0;
		break;
	case STEP_EXPIRE:
		expire_client(len % 2 == 1);
		break;
	case STEP_DRAIN:
		if (c != NULL && c->h2 != NULL)
			h2_drain(c->h2);
		break;
	case STEP_CLIENT_ENDS:
		shutdown(r->client, SHUT_WR);
		break;
	case STEP_MAX:
		break;
	}
	settle(r);
}

static void
begin(struct run *r)
{
	struct listener l = { .w = world.w, .port = 80 };
	struct sockaddr_storage addr = { .ss_family = AF_INET };
	int pair[2];

	expect(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
	router_world_narrow(pair[0]);
	r->client = pair[1];
	nghttp2_hd_inflate_new(&r->inflater);
	expect(admission_enter(world.plane.admission));
	client_accept(world.w, &l, pair[0], &addr);
}

static void
finish(struct run *r)
{
	struct backend *b = atomic_load(&world.service->set)->items[0];
	struct client *c;
	struct upstream *u;

	r->is_mute = false;
	world.w->blocks.max = 0;
	settle(r);
	close(r->client);
	while (r->n_instances > 0)
		end_instance(r, 0);
	settle(r);
	while ((c = LIST_FIRST(&world.w->clients)) != NULL)
		client_close(c, true);
	while ((u = TAILQ_FIRST(&world.w->idle)) != NULL)
		upstream_close(u);
	while (r->n_instances > 0)
		end_instance(r, 0);
	worker_turn(world.w, 0);
	expect(atomic_load(&world.service->slots[0].n_held) == 0 && atomic_load(&b->slots[0].n_held) == 0);
	expect(!tally_is_busy(world.tally));
	expect(atomic_load(&b->slots[0].n_active) == 0 && TAILQ_EMPTY(&world.w->unsent) && TAILQ_EMPTY(&world.w->again));
	expect(worker_counter(world.w, COUNT_OPEN) == 0 && world.w->blocks.held == 0);
	backend_works(b);
	nghttp2_hd_inflate_del(r->inflater);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct run r;
	const uint8_t *end = data + size;

	if (world.w == NULL)
		set_up();
	r = (struct run){ 0 };
	begin(&r);
	while (end - data >= 3) {
		enum step step = (enum step)(data[0] % STEP_MAX);
		size_t len = (size_t)data[1] << 8 | data[2];

		data += 3;
		if (len > (size_t)(end - data))
			len = (size_t)(end - data);
		take_step(&r, step, data, len);
		data += len;
	}
	finish(&r);
	return 0;
}
