#include "router/worker.h"

#include <errno.h>
#include <malloc.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "libflynn/attr.h"
#include "libflynn/clock.h"
#include "libflynn/err.h"
#include "libflynn/log.h"
#include "libflynn/random.h"
#include "libflynn/xmalloc.h"
#include "router/backend.h"
#include "router/client.h"
#include "router/exchange.h"
#include "router/h2.h"
#include "router/listener.h"
#include "router/plane.h"
#include "router/reclaim.h"
#include "router/spare.h"
#include "router/seen.h"
#include "router/upstream.h"

#define EVENTS_A_TURN 128
/* So many turns may do nothing but what the poller tells. */
#define FULL_TURNS_MAX 128
/* Without a TLS connection that begins or ends the heap is tidied after so long. */
#define TRIM_MS 100
/* OpenSSL's deepest calls and our own buffers need a quarter of it. */
#define STACK_BYTES (512u << 10)

enum order { ORDER_LISTEN, ORDER_UNLISTEN, ORDER_SWEEP, ORDER_ROUSE, ORDER_SPARE, ORDER_DRAIN, ORDER_STOP };

struct worker_message {
	STAILQ_ENTRY(worker_message) link;
	enum order order;
	int fd, port;
	bool is_tls, is_tcp, is_gentle;
};

void
worker_count(struct worker *w, enum counter c, int by)
{
	uint64_t n = atomic_load_explicit(&w->counters[c], memory_order_relaxed);

	atomic_store_explicit(&w->counters[c], n + (uint64_t)by, memory_order_relaxed);
}

uint64_t
worker_counter(const struct worker *w, enum counter c)
{
	return atomic_load_explicit(&w->counters[c], memory_order_relaxed);
}

/* xorshift128+: for balance and ids, not for secrets. */
uint64_t
worker_random(struct worker *w)
{
	uint64_t a = w->random[0], b = w->random[1];

	w->random[0] = b;
	a ^= a << 23;
	w->random[1] = a ^ b ^ a >> 17 ^ b >> 26;
	return w->random[1] + b;
}

int64_t
worker_clock_us(struct worker *w)
{
	if (w->clock_us == 0)
		w->clock_us = fl_clock_us();
	return w->clock_us;
}

/* Eight hexadecimal digits at once: a nibble to each byte, then what is above 9 moved on to "a". */
static void
put_hex(char *at, uint32_t n)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);
	uint64_t x = n;

	x = (x << 16 | x) & UINT64_C(0x0000ffff0000ffff);
	x = (x << 8 | x) & UINT64_C(0x00ff00ff00ff00ff);
	x = (x << 4 | x) & UINT64_C(0x0f0f0f0f0f0f0f0f);
	x += ones * '0' + ((x + ones * 6) >> 4 & ones) * ('a' - '0' - 10);
	memcpy(at, &x, sizeof(x));
}

void
worker_new_id(struct worker *w, char id[33])
{
	for (size_t i = 0; i < 32; i += 16) {
		uint64_t bits = worker_random(w);

		put_hex(id + i, (uint32_t)bits);
		put_hex(id + i + 8, (uint32_t)(bits >> 32));
	}
	id[32] = '\0';
}

int
worker_poll(struct worker *w, struct io *io)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = io };

	return epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, io->fd, &e);
}

void
worker_bury(struct worker *w, void *object)
{
	if (w->n_graves == w->graves_cap) {
		w->graves_cap = w->graves_cap == 0 ? 64 : w->graves_cap * 2;
		w->graves = fl_xreallocarray(w->graves, w->graves_cap, sizeof(*w->graves));
	}
	w->graves[w->n_graves++] = object;
}

static void
empty_graves(struct worker *w)
{
	while (w->n_graves > 0)
		free(w->graves[--w->n_graves]);
}

void
worker_trim_later(struct worker *w)
{
	w->trim_ms = w->now_ms + TRIM_MS;
	if (w->trim.tick == 0)
		timer_set(&w->timers, &w->trim, w->trim_ms);
}

static void
on_trim(struct timer *t)
{
	struct worker *w = fl_container_of(t, struct worker, trim);

	if (w->now_ms < w->trim_ms)
		timer_set(&w->timers, t, w->trim_ms);
	else
		malloc_trim(0);
}

void
worker_again(struct worker *w, struct client *c)
{
	if (c->again == 0)
		TAILQ_INSERT_TAIL(&w->again, c, again_link);
	c->again = w->again_round;
}

void
worker_not_again(struct worker *w, struct client *c)
{
	if (c->again != 0)
		TAILQ_REMOVE(&w->again, c, again_link);
	c->again = 0;
}

static void
run_again(struct worker *w)
{
	uint8_t round = w->again_round;
	struct client *c;

	/* Those that come back are of another round, behind the last of this. */
	w->again_round = round == 1 ? 2 : 1;
	while ((c = TAILQ_FIRST(&w->again)) != NULL && c->again == round) {
		worker_not_again(w, c);
		w->clock_us = 0;
		client_run(c);
	}
}

static void
sweep(struct worker *w)
{
	struct upstream *u, *next;

	TAILQ_FOREACH_SAFE(u, &w->idle, idle_link, next) {
		if (w->is_draining || atomic_load(&u->backend->is_retired))
			upstream_close(u);
	}
}

static void
unlisten(struct worker *w, int port)
{
	struct listener *l, *next;

	LIST_FOREACH_SAFE(l, &w->listeners, link, next) {
		if (l->is_tcp && l->port == port)
			listener_stop(l);
	}
}

static void
close_listeners(struct worker *w)
{
	struct listener *l, *next;

	LIST_FOREACH_SAFE(l, &w->listeners, link, next)
		listener_stop(l);
}

void
worker_check_drained(struct worker *w)
{
	uint64_t one = 1;

	if (!w->is_draining || w->is_drained || w->is_stopping || !LIST_EMPTY(&w->clients))
		return;
	w->is_drained = true;
	/* A write of 8 bytes to an eventfd that is read from does not fail. */
	if (atomic_fetch_sub(&w->plane->n_undrained, 1) == 1 &&
	    write(w->plane->drained_fd, &one, sizeof(one)) == -1)
		fl_log_error("cannot tell that all is drained", fl_str("err", strerror(errno)));
}

static void
drain(struct worker *w, bool is_gentle)
{
	struct client *c, *next;
	struct listener *l;

	LIST_FOREACH(l, &w->listeners, link)
		listener_accept_all(l);
	w->is_draining = true;
	w->is_gentle = is_gentle;
	close_listeners(w);
	sweep(w);
	LIST_FOREACH_SAFE(c, &w->clients, link, next) {
		if (c->h2 != NULL)
			h2_drain(c->h2);
		else if (!client_is_idle(c))
			continue;
		else if (is_gentle)
			client_wait(c, c->wait, true); /* not for so long any more */
		else
			client_close(c, false);
	}
	worker_check_drained(w);
}

static void
obey(struct worker *w, const struct worker_message *m)
{
	switch (m->order) {
	case ORDER_LISTEN:
		if (w->is_draining)
			close(m->fd);
		else
			listener_start(w, m->fd, m->port, m->is_tls, m->is_tcp);
		break;
	case ORDER_UNLISTEN:
		unlisten(w, m->port);
		break;
	case ORDER_SWEEP:
		sweep(w);
		break;
	case ORDER_ROUSE:
		exchange_rouse(w);
		break;
	case ORDER_SPARE:
		spare_clients(w);
		break;
	case ORDER_DRAIN:
		drain(w, m->is_gentle);
		break;
	case ORDER_STOP:
		w->is_stopping = true;
		break;
	}
}

static struct worker_message *
next_message(struct worker *w)
{
	struct worker_message *m;

	pthread_mutex_lock(&w->mail_lock);
	if ((m = STAILQ_FIRST(&w->mail)) != NULL)
		STAILQ_REMOVE_HEAD(&w->mail, link);
	pthread_mutex_unlock(&w->mail_lock);
	return m;
}

static void
on_wake(struct io *io, FL_UNUSED uint32_t events)
{
	struct worker *w = fl_container_of(io, struct worker, wake);
	struct worker_message *m;
	uint64_t n;

	if (read(io->fd, &n, sizeof(n)) == -1 && errno != EAGAIN)
		fl_log_error("cannot read messages", fl_str("err", strerror(errno)));
	while ((m = next_message(w)) != NULL) {
		obey(w, m);
		free(m);
	}
}

static void
send_message(struct worker *w, struct worker_message message)
{
	struct worker_message *m = fl_xmemdup(&message, sizeof(message));
	uint64_t one = 1;

	pthread_mutex_lock(&w->mail_lock);
	STAILQ_INSERT_TAIL(&w->mail, m, link);
	pthread_mutex_unlock(&w->mail_lock);
	if (write(w->wake.fd, &one, sizeof(one)) == -1)
		fl_log_error("cannot wake a worker", fl_str("err", strerror(errno)));
}

void
worker_listen(struct worker *w, int fd, int port, bool is_tls, bool is_tcp)
{
	send_message(w, (struct worker_message){ .order = ORDER_LISTEN, .fd = fd, .port = port, .is_tls = is_tls, .is_tcp = is_tcp });
}

void
worker_unlisten(struct worker *w, int port)
{
	send_message(w, (struct worker_message){ .order = ORDER_UNLISTEN, .port = port });
}

void
worker_sweep(struct worker *w)
{
	send_message(w, (struct worker_message){ .order = ORDER_SWEEP });
}

void
worker_rouse(struct worker *w)
{
	send_message(w, (struct worker_message){ .order = ORDER_ROUSE });
}

void
worker_spare_others(const struct worker *w)
{
	const struct plane *plane = w->plane;

	for (size_t i = 0; i < plane->n_workers; i++)
		if (plane->workers[i] != NULL && plane->workers[i] != w)
			send_message(plane->workers[i], (struct worker_message){ .order = ORDER_SPARE });
}

void
worker_drain(struct worker *w, bool is_gentle)
{
	send_message(w, (struct worker_message){ .order = ORDER_DRAIN, .is_gentle = is_gentle });
}

static void
read_clocks(struct worker *w)
{
	struct timespec now, wall;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	clock_gettime(CLOCK_REALTIME_COARSE, &wall);
	w->now_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
	w->wall_ms = (int64_t)wall.tv_sec * 1000 + wall.tv_nsec / 1000000;
}

struct fl_span
worker_date(struct worker *w)
{
	int64_t now_s = w->wall_ms / 1000;

	if (w->date_s != now_s)
		fl_clock_format_http(w->date_s = now_s, w->date);
	return (struct fl_span){ w->date, FL_CLOCK_HTTP_LEN - 1 };
}

/*
 * Behind the events, and by the time before the poller was asked for them: what had come until then has been seen to, and is
 * not late because we were, or our machine, stopped for a while. The poller may have more events than one turn takes.
 */
static void
run_timers(struct worker *w, int n_events, int64_t before_ms)
{
	if (n_events == EVENTS_A_TURN && ++w->n_full_turns < FULL_TURNS_MAX)
		return;
	w->n_full_turns = 0;
	timer_wheel_run(&w->timers, before_ms);
	if (!TAILQ_EMPTY(&w->unsent))
		h2_flush(w);
}

static void
turn(struct worker *w, const struct epoll_event *events, int n)
{
	int64_t before_ms = w->now_ms;

	read_clocks(w);
	w->clock_us = 0;
	/*
	 * All is noted before anybody acts on it: a request must not be given an idle connection of whose
	 * unasked bytes, or end, this turn knows.
	 */
	for (int i = 0; i < n; i++)
		io_note(events[i].data.ptr, events[i].events);
	for (int i = 0; i < n; i++) {
		struct io *io = events[i].data.ptr;

		w->clock_us = 0;
		if (io->fd != -1) /* else closed earlier in this turn */
			io->on_ready(io, events[i].events);
	}
	if (!TAILQ_EMPTY(&w->again))
		run_again(w);
	if (!TAILQ_EMPTY(&w->unsent))
		h2_flush(w);
	run_timers(w, n, before_ms);
	unpolled_run(w);
	atomic_store_explicit(&w->counters[COUNT_BUFFERS], block_held(&w->blocks), memory_order_relaxed);
	empty_graves(w);
}

void
worker_turn(struct worker *w, int wait_ms)
{
	struct epoll_event events[EVENTS_A_TURN];
	int n;

	if (w->unpolled.n > 0 && (wait_ms == -1 || wait_ms > UNPOLLED_MS))
		wait_ms = UNPOLLED_MS;
	reclaim_sleep(w->plane->reclaim, w->index);
	n = epoll_wait(w->epoll_fd, events, EVENTS_A_TURN, wait_ms);
	reclaim_wake(w->plane->reclaim, w->index);
	turn(w, events, n);
}

static void *
run(void *arg)
{
	struct worker *w = arg;

	while (!w->is_stopping)
		worker_turn(w, TAILQ_EMPTY(&w->again) ? timer_wheel_wait_ms(&w->timers, w->now_ms) : 0);
	reclaim_sleep(w->plane->reclaim, w->index);
	OPENSSL_thread_stop();
	return NULL;
}

struct worker *
worker_new(struct plane *plane, size_t index, struct fl_err *err)
{
	struct worker *w = fl_xcalloc(1, sizeof(*w));
	struct epoll_event in = { .events = EPOLLIN, .data.ptr = &w->wake };

	w->plane = plane;
	w->index = index;
	w->blocks.max = plane->buffer_bytes / plane->n_workers;
	LIST_INIT(&w->listeners);
	LIST_INIT(&w->clients);
	TAILQ_INIT(&w->again);
	w->again_round = 1;
	TAILQ_INIT(&w->unsent);
	TAILQ_INIT(&w->waiting);
	TAILQ_INIT(&w->idle);
	STAILQ_INIT(&w->mail);
	pthread_mutex_init(&w->mail_lock, NULL);
	fl_random_bytes(w->random, sizeof(w->random));
	w->random[0] |= 1; /* all zero would stay so */
	w->in = fl_xmalloc(WORKER_IN_BYTES);
	w->out = fl_xmalloc(WORKER_OUT_BYTES);
	read_clocks(w);
	timer_wheel_init(&w->timers, w->now_ms);
	w->trim.on_due = on_trim;
	w->wake = (struct io){ .fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), .on_ready = on_wake };
	w->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (w->wake.fd == -1 || w->epoll_fd == -1 || epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, w->wake.fd, &in) == -1) {
		fl_err_sys(err, "set up a worker");
		worker_free(w);
		return NULL;
	}
	return w;
}

int
worker_start(struct worker *w, struct fl_err *err)
{
	pthread_attr_t attr;
	sigset_t all, old;
	char name[16];

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old); /* signals are the control thread's */
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	errno = pthread_create(&w->thread, &attr, run, w);
	w->is_started = errno == 0;
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (!w->is_started)
		return fl_err_sys(err, "start a worker");
	snprintf(name, sizeof(name), "worker-%zu", w->index % 1000);
	pthread_setname_np(w->thread, name);
	return 0;
}

static void
close_all(struct worker *w)
{
	struct client *c, *next_client;
	struct upstream *u, *next;

	close_listeners(w);
	LIST_FOREACH_SAFE(c, &w->clients, link, next_client)
		client_close(c, false);
	TAILQ_FOREACH_SAFE(u, &w->idle, idle_link, next)
		upstream_close(u);
	empty_graves(w);
}

void
worker_stop(struct worker *w)
{
	if (w == NULL || !w->is_started)
		return;
	send_message(w, (struct worker_message){ .order = ORDER_STOP });
	pthread_join(w->thread, NULL);
	w->is_started = false;
}

void
worker_free(struct worker *w)
{
	struct worker_message *m;

	if (w == NULL)
		return;
	worker_stop(w);
	w->is_stopping = true;
	while ((m = next_message(w)) != NULL) {
		if (m->order == ORDER_LISTEN)
			close(m->fd);
		free(m);
	}
	close_all(w);
	if (w->wake.fd != -1)
		close(w->wake.fd);
	if (w->epoll_fd != -1)
		close(w->epoll_fd);
	pthread_mutex_destroy(&w->mail_lock);
	h2_pool_free(w->h2);
	block_pool_release(&w->blocks);
	seen_release(w);
	unpolled_release(&w->unpolled);
	while (w->n_exchanges > 0)
		free(w->exchanges[--w->n_exchanges]);
	EVP_MAC_CTX_free(w->sticky_mac);
	free(w->graves);
	free(w->in);
	free(w->out);
	free(w);
}
