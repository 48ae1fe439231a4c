/*
 * worker - one thread with its own epoll loop, listeners, clients and backend connections.
 *
 * Everything in it belongs to its thread, but for the functions below, which are the control
 * thread's, and the counters, which anybody may read.
 */
#ifndef ROUTER_WORKER_H
#define ROUTER_WORKER_H

#include <openssl/types.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libflynn/clock.h"
#include "libflynn/list.h"
#include "router/block.h"
#include "router/complaint.h"
#include "router/io.h"
#include "router/timer.h"
#include "router/unpolled.h"

struct client;
struct exchange;
struct exchange;
struct fl_err;
struct h2;
struct h2_pool;
struct listener;
struct plane;
struct seen_note;
struct upstream;

/* Where bytes are read to before it is known whether they must be kept. */
#define WORKER_IN_BYTES (64u << 10)
/* Where an answer's head is written: at least what head_answer_room() can ask for. */
#define WORKER_OUT_BYTES (36u << 10)

enum counter {
	COUNT_CLIENTS,	/* accepted connections */
	COUNT_OPEN,	/* of them open now */
	COUNT_HANDSHAKES,
	COUNT_RESUMED, /* of them by a ticket */
	COUNT_HANDSHAKE_FAILURES,
	COUNT_DIALS,	/* connections to backends */
	COUNT_DIAL_FAILURES,
	COUNT_RETRIES,	/* requests tried again on another connection */
	COUNT_WAITS,	/* requests that waited for an instance to start */
	COUNT_H2,	/* connections that spoke HTTP/2 */
	COUNT_H2_RESETS, /* requests that their clients gave up, or made us give up */
	COUNT_H2_FLOODS, /* connections ended for doing so too often, or sending too much that is of no use */
	COUNT_TUNNELS,	/* upgraded and TCP connections */
	COUNT_PAUSES,  /* times that accepting was put off */
	COUNT_REFUSED, /* connections of clients that have enough */
	COUNT_BUFFERS, /* bytes held for clients and instances, as of the last turn */
	COUNT_BAD_PROXIES, /* connections without the PROXY header they owe */
	COUNT_ANSWERS,	/* answers by class: 1xx is COUNT_ANSWERS, ... 5xx is COUNT_ANSWERS + 4 */
	COUNT_MAX = COUNT_ANSWERS + 5
};

/* What is logged once a second at most. */
enum complaint_about { COMPLAINT_PROXY, COMPLAINT_ACCEPT, COMPLAINT_CLIENT, COMPLAINT_DESCRIPTORS, COMPLAINT_MAX };

struct worker_message;

struct worker {
	struct plane *plane;
	size_t index;
	pthread_t thread;
	int epoll_fd;
	struct io wake; /* eventfd: there are messages */

	int64_t now_ms;	 /* monotonic, of this turn */
	int64_t wall_ms; /* since the epoch, of this turn */
	int64_t date_s;	 /* since the epoch: what date says, see worker_date() */
	char date[FL_CLOCK_HTTP_LEN];
	int64_t clock_us; /* 0: see worker_clock_us() */
	uint64_t random[2];
	struct timer_wheel timers;
	unsigned n_full_turns; /* since timers were looked at */
	struct block_pool blocks;
	struct timer trim; /* a while after TLS connections began or ended */
	int64_t trim_ms;   /* not before */
	char *in, *out;
	bool is_started, is_draining, is_gentle, is_drained, is_stopping;

	LIST_HEAD(, listener) listeners;
	LIST_HEAD(, client) clients;
	struct unpolled unpolled;
	TAILQ_HEAD(client_queue, client) again; /* had more to do than one turn's share */
	uint8_t again_round;
	TAILQ_HEAD(, h2) unsent; /* HTTP/2 connections that have something to write at the turn's end, or to think about */
	struct h2_pool *h2;	 /* NULL: there was none yet */
	TAILQ_HEAD(, exchange) waiting;		/* for an instance to start */
	TAILQ_HEAD(, upstream) idle;		/* to all backends, longest idle first */
	void **graves; /* freed once the turn is over: the poller may still hold events of them */
	size_t n_graves, graves_cap;
	EVP_MAC_CTX *sticky_mac; /* NULL until a sticky route is first asked for */
	struct seen_note *notes; /* for reuse */
	size_t n_notes;
	struct exchange *exchanges[16]; /* for reuse, the last one first */
	size_t n_exchanges;
	_Atomic uint64_t counters[COUNT_MAX];
	struct complaint complaints[COMPLAINT_MAX];

	pthread_mutex_t mail_lock; /* guards mail */
	STAILQ_HEAD(, worker_message) mail;
};

/* Control thread. start: in the thread, all signals blocked. */
struct worker *worker_new(struct plane *plane, size_t index, struct fl_err *err);
int worker_start(struct worker *w, struct fl_err *err);
/* End its thread at once. Before any is freed all are stopped: they write to one another. */
void worker_stop(struct worker *w);
/* Close all it has. */
void worker_free(struct worker *w);
/* Accept from a listening socket, which it owns from now on. is_tls: HTTPS. is_tcp: a TCP route's. port is what clients see. */
void worker_listen(struct worker *w, int fd, int port, bool is_tls, bool is_tcp);
/* Close the listeners of a TCP route's port. */
void worker_unlisten(struct worker *w, int port);
/* Some backends were retired: close idle connections to them. */
void worker_sweep(struct worker *w);
/* A service has changed that requests wait for. */
void worker_rouse(struct worker *w);
/* Any thread: let all workers but this one close clients that idle, see spare.h. */
void worker_spare_others(const struct worker *w);
/*
 * Accept no more, end what is idle, and tell the plane when nothing is left. is_gentle: connections that
 * are idle get a moment for one more request, whose answer tells of the end.
 */
void worker_drain(struct worker *w, bool is_gentle);
uint64_t worker_counter(const struct worker *w, enum counter c);

/* Its own thread. */
void worker_turn(struct worker *w, int wait_ms); /* wait for at most so long, and do all there is to do */
int worker_poll(struct worker *w, struct io *io); /* register with the poller, once; -1 with errno */
void worker_bury(struct worker *w, void *object);  /* free(3) it after this turn */
/* TLS leaves holes in the heap: give their pages back once it is quiet. */
void worker_trim_later(struct worker *w);
void worker_again(struct worker *w, struct client *c);
void worker_not_again(struct worker *w, struct client *c);
uint64_t worker_random(struct worker *w);
/* Monotonic, in microseconds, and read at most once an event: for measuring, where now_ms is too coarse. */
int64_t worker_clock_us(struct worker *w);
void worker_new_id(struct worker *w, char id[33]);
/* What a Date header says in this turn; valid until the next. */
struct fl_span worker_date(struct worker *w);
void worker_count(struct worker *w, enum counter c, int by);
/* A client has gone: drained, maybe. */
void worker_check_drained(struct worker *w);

#endif
