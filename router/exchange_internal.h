/*
 * exchange_internal - what the parts of exchange share: exchange.c begins and ends them, exchange_route.c
 * finds where they go, exchange_await.c has them wait where there is no instance yet, exchange_ask.c sends requests to instances, exchange_answer.c brings their answers back.
 */
#ifndef ROUTER_EXCHANGE_INTERNAL_H
#define ROUTER_EXCHANGE_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>

#include "libflynn/attr.h"
#include "libflynn/http_parse.h"
#include "libflynn/list.h"
#include "router/client.h"
#include "router/exchange.h"
#include "router/flow.h"
#include "router/pace.h"
#include "router/seen.h"

struct backend;
struct block;
struct page;
struct service;
struct sticky;
struct upstream;

/* Instances that one request tries at most. */
#define EXCHANGE_TRIED_MAX 16

enum exchange_state {
	STATE_DIAL,   /* an instance is to be chosen, or to be chosen again */
	STATE_AWAIT,  /* there is no instance, and one is about to come */
	STATE_ASK,    /* the request is being sent; no answer yet */
	STATE_ANSWER, /* the answer's head has been passed on */
	STATE_TUNNEL, /* bytes both ways */
	STATE_PAGE,   /* the answer is our own */
	STATE_BROKEN
};

/* What a step of a state returns beside the results of exchange_run(). */
enum {
	STEP_NEXT = -1, /* look at the state again */
	STEP_MORE = -2	/* more of the answer's head is needed */
};

struct exchange {
	struct client *c;
	struct worker *w;
	struct service *service; /* held; NULL: nothing but a page */
	struct upstream *u;
	struct block *head;   /* as sent to the backend; kept until it answers, for another try */
	size_t head_sent;
	struct block *answer; /* part of the answer's head */
	struct block *excess; /* what the backend sent behind its answer */
	struct flow up, down;
	struct pace pace;
	struct fl_span id; /* in head */
	const struct backend **tried; /* held; EXCHANGE_TRIED_MAX at most; NULL: none, as of nearly all */
	size_t n_tried;
	struct sticky *sticky; /* NULL: the route is not */
	uint32_t n_updates; /* of the service, when it was last looked for an instance */
	int n_resent; /* times that an instance got it and closed the connection */
	enum exchange_state state;
	TAILQ_ENTRY(exchange) waiting_link; /* in the worker's list while is_waiting */
	int minor; /* the client's HTTP/1.minor */
	int n_interim;
	bool is_tcp, is_head, is_json;
	bool is_leader_only; /* the route leads to nobody else */
	bool is_patient; /* all instances have refused it, and it has waited for others */
	bool is_waiting; /* in STATE_AWAIT, and counted as such */
	bool is_safe;	 /* may be sent twice */
	bool is_fresh;	 /* not over a pooled connection */
	bool is_expecting; /* the client waits for 100 Continue */
	bool is_opened;	   /* TCP: somebody has spoken */
	bool is_last;	   /* the client sends nothing behind this request: it said so */
	bool keep_client, keep_upstream;
	bool up_lost;	 /* the backend takes no more of the request */
	struct seen seen;
};

/*
 * Answer with a page of our own; nothing of another final answer has been sent. A TCP route's client is
 * closed. Returns STEP_NEXT.
 */
int exchange_fail(struct exchange *x, int status, const char *fmt, ...) FL_PRINTF(3, 4);
/* The same with what page says beside; its is_json, is_head, keep_alive, client_minor and id are filled in. */
int exchange_page(struct exchange *x, struct page *page);
/*
 * Where the request goes by its host and path: sets service and what else the route says, or answers at once, if no route
 * leads anywhere, or this one to another place.
 */
void exchange_route(struct exchange *x, const struct fl_http_head *h);
/* Wait, the time starting anew if anything has moved. Returns EXCHANGE_WAITS. */
int exchange_wait(struct exchange *x, enum client_wait wait);
/* Count an answer by its class. */
void exchange_count(struct exchange *x, int status);
/* All of the request was read from the client. */
bool exchange_is_read(const struct exchange *x);
/* All of the answer is with the client. */
int exchange_finish(struct exchange *x);

/* The steps of the states; each returns a STEP_ or an exchange_result. */
int exchange_dial(struct exchange *x);
int exchange_await(struct exchange *x);
int exchange_ask(struct exchange *x);
int exchange_answer(struct exchange *x);
int exchange_tunnel(struct exchange *x);

/* Enter STATE_AWAIT. False: too many wait already. */
bool exchange_begin_wait(struct exchange *x);
/* It waits no more, if it did. */
void exchange_end_wait(struct exchange *x);
/* Those that were tried may be tried again. */
void exchange_forget_tried(struct exchange *x);
/* There is no instance to ask, or none but those that were tried: wait for one, or say so. Returns STEP_NEXT. */
int exchange_no_instance(struct exchange *x);
/* The connection ended before any byte of an answer came: try again, or say so. */
int exchange_lost(struct exchange *x);
/* Pass on more of the request's body. STEP_NEXT: go on with the answer; blocked says on whom it waits. */
int exchange_send_body(struct exchange *x, enum flow_result *blocked);
/* Read the answer's head. STEP_MORE: it is not whole yet. */
int exchange_read_answer(struct exchange *x);

#endif
