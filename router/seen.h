/*
 * seen - what an exchange notes of itself on its way, told once at its end: to its route's tally and to the
 * journal, from which the access log is written too.
 *
 * With both off (plane.seen is 0) nothing is noted and no clock is read. Worker threads only.
 */
#ifndef ROUTER_SEEN_H
#define ROUTER_SEEN_H

#include <stddef.h>
#include <stdint.h>

#include "libflynn/http_parse.h"
#include "router/record.h"

struct backend;
struct client;
struct exchange;
struct fl_http_head;
struct target;
struct tally_slot;
struct worker;

enum seen_use { SEEN_JOURNAL = 1, SEEN_TALLY = 2 };

/* The texts of a request, as its head does not stay. Each worker keeps some for reuse. */
struct seen_note {
	struct seen_note *next;
	struct in6_addr client;
	uint8_t method_len, host_len, path_len, id_len;
	char text[RECORD_NOTE]; /* method, host, path, id */
};

struct seen {
	int64_t start_us; /* 0: nothing is noted */
	struct seen_note *note;
	struct tally_slot *tally;
	struct backend *backend; /* the last instance that was asked; held */
	float connect_us, first_us;
	uint32_t route;
	uint16_t status;
	uint8_t n_dials;
	uint8_t flags; /* enum record_flags */
};

/* The exchange begins. head_us: when its head's first byte came, if that was before now; else 0. */
void seen_begin(struct exchange *x, int64_t head_us);
/* What it is for, as far as is known: target may be NULL, host and the exchange's id empty. path may have a query. */
void seen_request(struct exchange *x, const struct target *target, struct fl_span method, struct fl_span host,
    struct fl_span path);
/* Whom the trusted proxies before us, if that is where it came from, name as the client. After seen_request(). */
void seen_client(struct exchange *x, const struct fl_http_head *h);
/* An instance is asked, maybe after others. */
void seen_dial(struct exchange *x, struct backend *b);
/* The answer is our own page, written so. */
void seen_page(struct exchange *x, const char *page, size_t len);
/* The request's head was sent; the answer's first byte came. */
void seen_sent(struct exchange *x);
void seen_answered(struct exchange *x);
/* It became a tunnel, which may stay for long: hold no more memory than needed. */
void seen_tunnel(struct exchange *x);
/* Its end, whatever it was. */
void seen_end(struct exchange *x);

/* Free the notes kept for reuse. */
void seen_release(struct worker *w);

#endif
