/*
 * client - a connection that was accepted: HTTP requests one after the other, or a TCP route's bytes.
 *
 * While it waits for a request it holds no buffer.
 */
#ifndef ROUTER_CLIENT_H
#define ROUTER_CLIENT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "libflynn/list.h"
#include "router/io.h"
#include "router/timer.h"

struct block;
struct exchange;
struct h2;
struct io_ops;
struct listener;
struct worker;

/* What it waits for; how long that may take is in client.c. */
enum client_wait {
	WAIT_NOTHING,	/* no timer: tunnels, which the kernel's keep-alive watches */
	WAIT_HANDSHAKE,
	WAIT_FIRST,	/* the first byte of the first request */
	WAIT_IDLE,	/* the first byte of another request */
	WAIT_HEAD,	/* the rest of a request's head */
	WAIT_BODY,	/* more of a request's body */
	WAIT_CONNECT,	/* a backend to accept */
	WAIT_ANSWER,	/* a backend to answer */
	WAIT_MORE,	/* a backend to go on with its answer */
	WAIT_READER,	/* the client to take what was sent */
	WAIT_START,	/* an instance to start */
	WAIT_CHANGE,	/* other instances, as all that there are refuse */
	WAIT_LINGER,	/* the client to end its side */
	WAIT_MAX
};

struct client {
	struct io io;
	struct worker *w;
	LIST_ENTRY(client) link;
	TAILQ_ENTRY(client) again_link;
	struct timer timer;
	struct exchange *x; /* NULL: between requests */
	struct h2 *h2;	    /* it speaks HTTP/2, or is a stream of one that does; NULL: HTTP/1 or TCP */
	struct block *in;   /* read, and not yet used: part of a head, or requests that came early */
	struct in6_addr peer; /* IPv4 mapped */
	uint16_t port;	    /* of ours, that it came to */
	uint8_t wait;	    /* enum client_wait */
	uint8_t trust;	    /* enum forwarded_trust */
	bool is_tls, is_tcp;
	bool is_counted;   /* as one of its client's */
	bool is_announced; /* its PROXY header is to come first */
	bool is_stream;	   /* of an HTTP/2 connection: h2_stream has it */
	bool had_request;  /* no HTTP/2 preface can follow */
	uint8_t again;	   /* in the worker's queue since that round; 0: not in it */
	bool is_partial;   /* in was parsed: it needs more */
	bool is_lingering; /* answered for good; only waits for the client's end */
	bool is_unpolled;  /* the poller does not know it yet: unpolled.h */
	uint32_t unpolled; /* its number there */
	uint32_t n_lingered;
	int64_t head_us; /* when a part of a head came; 0: none, or nobody wants to know */
};

/* Takes the accepted descriptor. May have closed it again on return. */
void client_accept(struct worker *w, const struct listener *l, int fd, const struct sockaddr_storage *addr);
/* Do all that can be done now. The client may be gone afterwards. */
void client_run(struct client *c);
/* moved: something happened since the last call, so that the time starts anew. */
void client_wait(struct client *c, enum client_wait wait, bool moved);
/* How long it has waited for what it waits for now. */
int64_t client_waited_ms(const struct client *c);
/* Keep bytes for later; in must be NULL. */
void client_stash(struct client *c, const void *data, size_t len);
/* It has no request under way, not even a part of one. */
bool client_is_idle(const struct client *c);
void client_close(struct client *c, bool abort);
/* Tell the poller of it. */
void client_poll(struct client *c);
/* Its last answer was given: end our side and wait for the client's end, for a while. */
void client_linger(struct client *c);
/* A stream of that connection, all zero so far, that ops carries. */
void client_init_stream(struct client *c, const struct client *connection, const struct io_ops *ops);

#endif
