/*
 * router_exchange_fuzz - two HTTP/1 clients and the instances of one service that do as the input says, with a real
 * worker in between.
 *
 * Whatever they do: an instance sees nothing but a sequence of well-formed requests that the clients' bytes are, in
 * order, and a client nothing but well-formed answers, one for each request at most, up to where a connection is cut
 * or becomes a tunnel. Nothing is left when they have gone. Input is a list of steps, each a byte that says which,
 * and two with the length of what belongs to it.
 */
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/http_parse.h"
#include "router/admission.h"
#include "router/backend.h"
#include "router/client.h"
#include "router/exchange.h"
#include "router/listener.h"
#include "router/plane.h"
#include "router/table.h"
#include "router/tally.h"
#include "router/upstream.h"
#include "router/worker.h"
#include "test/fuzz/expect.h"
#include "test/fuzz/router_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum step { STEP_FIRST, STEP_SECOND, STEP_INSTANCE, STEP_INSTANCE_ENDS, STEP_HALF_CLOSE, STEP_MUTE, STEP_EXPIRE, STEP_CLIENT_LEAVES, STEP_MAX };

#define CLIENTS 2
#define INSTANCES_MAX 32
/* Turns that may follow one another without any event. */
#define TURNS_MAX 1000

/* One direction of a connection, as whoever reads it by the book sees it. */
struct reader {
	struct fl_buf bytes; /* of a head that is not whole yet */
	enum { AT_HEAD, IN_LENGTH, IN_CHUNKS, UNTIL_END, UNKNOWN } at;
	uint64_t left;
	struct fl_http_chunked chunked;
	size_t n_messages;
};

static struct router_world world;

struct talker {
	int fd; /* -1: has gone */
	bool is_mute;
	struct reader sends;  /* what it asks, as the router ought to understand it */
	struct reader hears;
	uint64_t heads;	      /* bit by bit: which of its last 64 requests are HEAD */
	size_t n_asked;
};

static struct run {
	struct talker clients[CLIENTS];
	struct {
		int fd;
		struct reader hears;
		struct fl_buf says;
	} instances[INSTANCES_MAX];
	size_t n_instances;
} run;

static void
set_up(void)
{
	world.plane.admission = admission_new(1000, 0);
	world.plane.buffer_bytes = 64 << 20;
	world.plane.head_timeout_ms = world.plane.answer_timeout_ms = 60000;
	router_world_open(&world);
}

static void
begin_body(struct reader *r, const struct fl_http_head *h)
{
	r->left = h->content_length > 0 ? (uint64_t)h->content_length : 0;
	r->at = h->chunked ? IN_CHUNKS : r->left > 0 ? IN_LENGTH : AT_HEAD;
	if (h->chunked)
		fl_http_chunked_init(&r->chunked);
}

/* An answer of the router: its head is well-formed, and was asked for. */
static void
take_answer(struct talker *t, const struct fl_http_head *h)
{
	struct reader *r = &t->hears;
	size_t ago = t->n_asked - r->n_messages; /* 1: it answers the latest request; 0: none, but what is no request */
	bool is_head = ago > 0 && ago <= 64 && (t->heads >> (ago - 1) & 1) != 0;

	if (h->status == 101) {
		r->at = UNTIL_END;
		return;
	}
	if (h->status < 200)
		return;
	if (is_head || h->status == 204 || h->status == 304)
		r->at = AT_HEAD;
	else if (h->chunked || h->content_length >= 0)
		begin_body(r, h);
	else
		r->at = UNTIL_END;
	r->n_messages++;
	expect(h->status != 204 || (!h->chunked && h->content_length == -1));
}

/* How many bytes of the body are among these; the rest is the next message's. */
static size_t
take_body(struct reader *r, const char *data, size_t len)
{
	struct fl_span payload;
	bool done = false;
	int64_t n;
	size_t used;

	if (r->at == UNTIL_END || r->at == UNKNOWN)
		return len;
	if (r->at == IN_LENGTH) {
		used = len < r->left ? len : (size_t)r->left;
		r->left -= used;
		if (r->left == 0)
			r->at = AT_HEAD;
		return used;
	}
	n = fl_http_chunked_feed(&r->chunked, data, len, &payload, &done, NULL);
	if (n == -1) {
		r->at = UNKNOWN;
		return len;
	}
	if (done)
		r->at = AT_HEAD;
	return (size_t)n;
}

/* Bytes that an instance is sent. Whole heads are right, and so are bodies: no other reading of them is possible. */
static void
instance_hears(struct reader *r, const char *data, size_t len)
{
	static struct fl_http_head h;

	while (len > 0) {
		char host[TABLE_MAX_KEY + 1];
		struct fl_err err = { 0 };
		size_t used;

		if (r->at != AT_HEAD) {
			used = take_body(r, data, len);
			expect(r->at != UNKNOWN);
			data += used;
			len -= used;
			continue;
		}
		fl_buf_add(&r->bytes, data, len);
		switch (fl_http_parse_request(r->bytes.data, r->bytes.len, &h, &err)) {
		case FL_HTTP_PARSE_MORE:
			return;
		case FL_HTTP_PARSE_ERROR:
			expect(err.kind == FL_ERR_TOO_BIG); /* with headers that we add to a head at its bounds */
			r->at = UNTIL_END;
			return;
		case FL_HTTP_PARSE_DONE:
			break;
		}
		expect(table_normalise_host(h.host.p, h.host.len, host) == 1 && *host == 'a');
		expect(h.minor == 1 && !h.expect_other && *r->bytes.data != '\r');
		r->n_messages++;
		begin_body(r, &h);
		used = h.head_len - (r->bytes.len - len);
		fl_buf_clear(&r->bytes);
		data += used;
		len -= used;
	}
}

/* Bytes that a client is sent. */
static void
client_hears(struct talker *t, const char *data, size_t len)
{
	static struct fl_http_head h;
	struct reader *r = &t->hears;

	while (len > 0) {
		struct fl_err err = { 0 };
		size_t used;

		if (r->at != AT_HEAD) {
			used = take_body(r, data, len);
			expect(r->at != UNKNOWN);
			data += used;
			len -= used;
			continue;
		}
		fl_buf_add(&r->bytes, data, len);
		switch (fl_http_parse_response(r->bytes.data, r->bytes.len, &h, &err)) {
		case FL_HTTP_PARSE_MORE:
			return;
		case FL_HTTP_PARSE_ERROR:
			expect(err.kind == FL_ERR_TOO_BIG); /* as above */
			r->at = UNTIL_END;
			return;
		case FL_HTTP_PARSE_DONE:
			break;
		}
		used = h.head_len - (r->bytes.len - len);
		take_answer(t, &h);
		fl_buf_clear(&r->bytes);
		data += used;
		len -= used;
	}
}

/* Bytes that a client sends: which of its requests are HEAD is what the reading of answers depends on. */
static void
client_says(struct talker *t, const char *data, size_t len)
{
	static struct fl_http_head h;
	struct reader *r = &t->sends;

	while (len > 0) {
		size_t used;

		if (r->at != AT_HEAD) {
			used = take_body(r, data, len);
			data += used;
			len -= used;
			continue;
		}
		fl_buf_add(&r->bytes, data, len);
		if (t->n_asked == 0 && r->bytes.len >= 3 && memcmp(r->bytes.data, "PRI", 3) == 0)
			t->hears.at = UNTIL_END; /* HTTP/2 */
		switch (fl_http_parse_request(r->bytes.data, r->bytes.len, &h, NULL)) {
		case FL_HTTP_PARSE_MORE:
			return;
		case FL_HTTP_PARSE_ERROR:
			r->at = UNKNOWN;
			return;
		case FL_HTTP_PARSE_DONE:
			break;
		}
		t->heads = t->heads << 1 | fl_span_eq(h.method, "HEAD");
		t->n_asked++;
		used = h.head_len - (r->bytes.len - len);
		begin_body(r, &h);
		if (!h.keep_alive && r->at == AT_HEAD)
			r->at = UNKNOWN;
		fl_buf_clear(&r->bytes);
		data += used;
		len -= used;
	}
}

static void
accept_instances(void)
{
	struct sockaddr_un addr;
	socklen_t len = sizeof(addr);
	int fd;

	while (run.n_instances < INSTANCES_MAX &&
	    (fd = accept4(world.listen_fd, (struct sockaddr *)&addr, &len, SOCK_NONBLOCK | SOCK_CLOEXEC)) != -1) {
		len = sizeof(addr);
		run.instances[run.n_instances].fd = fd;
		run.instances[run.n_instances].says = (struct fl_buf){ 0 };
		run.instances[run.n_instances++].hears = (struct reader){ 0 };
	}
}

static void
read_all(void)
{
	static char scratch[1 << 16];
	ssize_t n;

	accept_instances();
	for (size_t i = 0; i < run.n_instances; i++)
		while ((n = recv(run.instances[i].fd, scratch, sizeof(scratch), MSG_DONTWAIT)) > 0)
			instance_hears(&run.instances[i].hears, scratch, (size_t)n);
	for (size_t i = 0; i < CLIENTS; i++) {
		struct talker *t = &run.clients[i];

		while (t->fd != -1 && !t->is_mute && (n = recv(t->fd, scratch, sizeof(scratch), MSG_DONTWAIT)) > 0)
			client_hears(t, scratch, (size_t)n);
		/* A refusal of what is no request is an answer, too; nothing else is. */
		expect(t->hears.n_messages <= t->n_asked + 1);
	}
}

/* Until nothing happens any more. */
static void
settle(void)
{
	for (int i = 0; i < 4; i++) {
		int turns = 0;

		do
			worker_turn(world.w, 0);
		while (!TAILQ_EMPTY(&world.w->again) && ++turns < TURNS_MAX);
		expect(turns < TURNS_MAX); /* it turns round for ever */
		read_all();
	}
}

/* Something took too long. */
static void
expire(size_t which)
{
	struct client *c;

	LIST_FOREACH(c, &world.w->clients, link) {
		if (which-- > 0 || c->timer.tick == 0)
			continue;
		timer_clear(&c->timer);
		c->timer.on_due(&c->timer);
		return;
	}
}

static void
end_instance(size_t which)
{
	close(run.instances[which].fd);
	fl_buf_release(&run.instances[which].hears.bytes);
	fl_buf_release(&run.instances[which].says);
	run.instances[which] = run.instances[--run.n_instances];
}

static void
end_client(struct talker *t)
{
	if (t->fd != -1)
		close(t->fd);
	t->fd = -1;
	fl_buf_release(&t->sends.bytes);
	fl_buf_release(&t->hears.bytes);
}

/* What is sent to it behind a 101, asked for or not, is no request. */
static void
instance_says(size_t which, const uint8_t *data, size_t len)
{
	ssize_t n = send(run.instances[which].fd, data, len, MSG_DONTWAIT);
	struct fl_buf *says = &run.instances[which].says;

	if (n > 0)
		fl_buf_add(says, data, (size_t)n);
	if (says->len > 0 && memmem(says->data, says->len, "101", 3) != NULL)
		run.instances[which].hears.at = UNTIL_END;
}

static void
say(struct talker *t, const uint8_t *data, size_t len)
{
	ssize_t n = t->fd != -1 ? send(t->fd, data, len, MSG_DONTWAIT) : -1;

	if (n > 0)
		client_says(t, (const char *)data, (size_t)n);
}

static void
take_step(enum step step, const uint8_t *data, size_t len)
{
	struct talker *t = &run.clients[len % CLIENTS];

	switch (step) {
	case STEP_FIRST:
	case STEP_SECOND:
		say(&run.clients[step == STEP_SECOND], data, len);
		break;
	case STEP_INSTANCE:
		if (run.n_instances > 0)
			instance_says(run.n_instances - 1, data, len);
		break;
	case STEP_INSTANCE_ENDS:
		if (run.n_instances > 0 && len % 2 == 0)
			shutdown(run.instances[len / 2 % run.n_instances].fd, SHUT_WR);
		else if (run.n_instances > 0)
			end_instance(len / 2 % run.n_instances);
		break;
	case STEP_HALF_CLOSE:
		if (t->fd != -1)
			shutdown(t->fd, SHUT_WR);
		break;
	case STEP_MUTE:
		t->is_mute = !t->is_mute;
		break;
	case STEP_EXPIRE:
		expire(len % CLIENTS);
		break;
	case STEP_CLIENT_LEAVES:
		end_client(t);
		break;
	case STEP_MAX:
		break;
	}
	settle();
}

static void
begin(void)
{
	struct listener l = { .w = world.w, .port = 80 };
	struct sockaddr_storage addr = { .ss_family = AF_INET };

	for (size_t i = 0; i < CLIENTS; i++) {
		int pair[2];

		expect(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
		router_world_narrow(pair[0]);
		run.clients[i] = (struct talker){ .fd = pair[1] };
		expect(admission_enter(world.plane.admission));
		client_accept(world.w, &l, pair[0], &addr);
	}
}

static void
finish(void)
{
	struct backend *b = atomic_load(&world.service->set)->items[0];
	struct client *c;
	struct upstream *u;

	for (size_t i = 0; i < CLIENTS; i++)
		run.clients[i].is_mute = false;
	settle();
	for (size_t i = 0; i < CLIENTS; i++)
		end_client(&run.clients[i]);
	while (run.n_instances > 0)
		end_instance(0);
	settle();
	while ((c = LIST_FIRST(&world.w->clients)) != NULL)
		client_close(c, true);
	while ((u = TAILQ_FIRST(&world.w->idle)) != NULL)
		upstream_close(u);
	while (run.n_instances > 0)
		end_instance(0);
	worker_turn(world.w, 0);
	expect(atomic_load(&world.service->slots[0].n_held) == 0 && atomic_load(&b->slots[0].n_held) == 0);
	expect(!tally_is_busy(world.tally));
	expect(atomic_load(&b->slots[0].n_active) == 0 && TAILQ_EMPTY(&world.w->again) && worker_counter(world.w, COUNT_OPEN) == 0);
	backend_works(b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = data + size;

	if (world.w == NULL)
		set_up();
	begin();
	while (end - data >= 3) {
		enum step step = (enum step)(data[0] % STEP_MAX);
		size_t len = (size_t)data[1] << 8 | data[2];

		data += 3;
		if (len > (size_t)(end - data))
			len = (size_t)(end - data);
		take_step(step, data, len);
		data += len;
	}
	finish();
	return 0;
}
