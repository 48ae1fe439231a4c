/*
 * exchange - one request and its answer, from the moment the request's head is known; or the
 * tunnel that a 101 made of it; or a connection to a TCP route.
 */
#ifndef ROUTER_EXCHANGE_H
#define ROUTER_EXCHANGE_H

#include <stddef.h>

struct client;
struct exchange;
struct fl_http_head;
struct worker;

enum exchange_result {
	EXCHANGE_WAITS,	 /* for events or the client's timer, which is set */
	EXCHANGE_BUSY,	 /* has had its share of this turn */
	EXCHANGE_DONE,	 /* the client may send another request */
	EXCHANGE_LAST,	 /* all is said: close the client */
	EXCHANGE_UNREAD, /* the same, but the client may still be sending */
	EXCHANGE_BROKEN	 /* the client must see that this is no proper end */
};

/* The client's next request. rest are the bytes that came behind its head; they may be changed. */
struct exchange *exchange_begin(struct client *c, const struct fl_http_head *head, char *rest, size_t len);
/* A client of a TCP route. */
struct exchange *exchange_begin_tcp(struct client *c);
/* Nothing but our own answer. why must stay valid until the call returns. */
struct exchange *exchange_refuse(struct client *c, int status, const char *why);
/* Do all that can be done now. */
enum exchange_result exchange_run(struct exchange *x);
/* What the client waited for (enum client_wait) did not come in time; exchange_run() goes on from here. */
void exchange_expire(struct exchange *x, int wait);
void exchange_free(struct exchange *x);
/* Let those that wait for an instance to start look again, at the end of this turn. */
void exchange_rouse(struct worker *w);

#endif
