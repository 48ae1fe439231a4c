#include "router/seen.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "libflynn/xmalloc.h"
#include "router/backend.h"
#include "router/cidr.h"
#include "router/exchange_internal.h"
#include "router/forwarded.h"
#include "router/journal.h"
#include "router/plane.h"
#include "router/table.h"
#include "router/tally.h"
#include "router/worker.h"

/* Apart from who asks whether there is anything to do, so that "no" costs no stack frame. */
#define APART __attribute__((noinline))

/* Notes that a worker keeps for reuse. */
#define NOTES_MAX 256
/* Proxies that one request may have come through before we stop to ask where from. */
#define PROXIES_MAX 16

static float
since_start(const struct exchange *x)
{
	int64_t us = worker_clock_us(x->w) - x->seen.start_us;

	return us > 0 ? (float)us : 1; /* 0 would say that it did not come to that */
}

void
seen_begin(struct exchange *x, int64_t head_us)
{
	if (x->w->plane->seen == 0)
		return;
	x->w->clock_us = 0; /* others may have had their turn in the same event */
	x->seen.start_us = head_us != 0 ? head_us : worker_clock_us(x->w);
}

static struct seen_note *
note_new(struct worker *w)
{
	struct seen_note *n = w->notes;

	if (n == NULL)
		return fl_xmalloc(sizeof(*n));
	w->notes = n->next;
	w->n_notes--;
	return n;
}

static void
note_free(struct worker *w, struct seen_note *n)
{
	if (w->n_notes == NOTES_MAX) {
		free(n);
		return;
	}
	n->next = w->notes;
	w->notes = n;
	w->n_notes++;
}

void
seen_release(struct worker *w)
{
	struct seen_note *n;

	while ((n = w->notes) != NULL) {
		w->notes = n->next;
		free(n);
	}
}

/* Append as much as may be. */
static uint8_t
put(char **at, struct fl_span text, size_t max)
{
	size_t len = text.len < max ? text.len : max;

	if (len > 0)
		*at = mempcpy(*at, text.p, len);
	return (uint8_t)len;
}

/* Of a target in origin or absolute form, without the query. */
static struct fl_span
path_of(struct fl_span target)
{
	const char *end = target.len > 0 ? memchr(target.p, '?', target.len) : NULL, *p = target.p;
	size_t len = end != NULL ? (size_t)(end - p) : target.len;
	const char *authority = len > 0 && *p != '/' ? memmem(p, len, "://", 3) : NULL;

	if (authority == NULL)
		return (struct fl_span){ p, len };
	authority += 3;
	p = memchr(authority, '/', len - (size_t)(authority - target.p));
	if (p == NULL)
		return (struct fl_span){ "/", 1 };
	return (struct fl_span){ p, len - (size_t)(p - target.p) };
}

static APART void
note_request(struct exchange *x, const struct target *target, struct fl_span method, struct fl_span host,
    struct fl_span path)
{
	struct seen_note *n;
	char *at;

	if (target != NULL) {
		x->seen.route = target->tally->number;
		if ((x->w->plane->seen & SEEN_TALLY) != 0)
			x->seen.tally = tally_begin(target->tally, x->w->index);
	}
	if ((x->w->plane->seen & SEEN_JOURNAL) == 0)
		return;
	x->seen.note = n = note_new(x->w);
	n->client = x->c->peer;
	at = n->text;
	n->method_len = put(&at, method, RECORD_METHOD);
	n->host_len = put(&at, host, RECORD_HOST);
	n->id_len = (uint8_t)(x->id.len < RECORD_ID ? x->id.len : RECORD_ID);
	n->path_len = put(&at, path_of(path), (size_t)(n->text + RECORD_NOTE - at) - n->id_len);
	put(&at, x->id, n->id_len);
}

void
seen_request(struct exchange *x, const struct target *target, struct fl_span method, struct fl_span host,
    struct fl_span path)
{
	if (x->seen.start_us != 0)
		note_request(x, target, method, host, path);
}

static bool
parse_address(struct fl_span text, struct in6_addr *out)
{
	struct in_addr v4;
	char copy[INET6_ADDRSTRLEN];

	while (text.len > 0 && (*text.p == ' ' || *text.p == '\t'))
		text = (struct fl_span){ text.p + 1, text.len - 1 };
	while (text.len > 0 && (text.p[text.len - 1] == ' ' || text.p[text.len - 1] == '\t'))
		text.len--;
	if (text.len == 0 || text.len >= sizeof(copy))
		return false;
	memcpy(copy, text.p, text.len);
	copy[text.len] = '\0';
	if (inet_pton(AF_INET, copy, &v4) != 1)
		return inet_pton(AF_INET6, copy, out) == 1;
	memset(out, 0, 10);
	memset(&out->s6_addr[10], 0xff, 2);
	memcpy(&out->s6_addr[12], &v4, sizeof(v4));
	return true;
}

/* Go back in one list from the proxy that is nearest to us. False: the client was found, or the list cannot be read on. */
static bool
go_back(struct exchange *x, struct fl_span list, int *left)
{
	const struct cidr_list *trusted = x->w->plane->trusted;

	while (list.len > 0) {
		const char *comma = memrchr(list.p, ',', list.len);
		const char *entry = comma != NULL ? comma + 1 : list.p;
		struct in6_addr addr;

		if ((*left)-- == 0 || !parse_address((struct fl_span){ entry, (size_t)(list.p + list.len - entry) }, &addr))
			return false;
		x->seen.note->client = addr;
		if (!cidr_list_has(trusted, &addr))
			return false;
		list.len = comma != NULL ? (size_t)(comma - list.p) : 0;
	}
	return true;
}

static APART void
find_client(struct exchange *x, const struct fl_http_head *h)
{
	int left = PROXIES_MAX;
	bool more = true;

	for (size_t i = h->n_headers; more && i > 0; i--)
		if (fl_span_ieq(h->headers[i - 1].name, "X-Forwarded-For"))
			more = go_back(x, h->headers[i - 1].value, &left);
}

void
seen_client(struct exchange *x, const struct fl_http_head *h)
{
	if (x->seen.note != NULL && x->c->trust == FORWARDED_KEEP)
		find_client(x, h);
}

void
seen_dial(struct exchange *x, struct backend *b)
{
	struct seen *s = &x->seen;

	if (s->start_us == 0)
		return;
	if (s->n_dials < UINT8_MAX)
		s->n_dials++;
	if (s->backend != NULL)
		backend_unhold(s->backend, x->w->index);
	backend_hold(b, x->w->index);
	s->backend = b;
}

void
seen_page(struct exchange *x, const char *page, size_t len)
{
	const char *end = memmem(page, len, "\r\n\r\n", 4);

	x->seen.flags |= RECORD_OWN;
	if (end != NULL)
		x->down.n_bytes = len - (size_t)(end + 4 - page);
}

void
seen_sent(struct exchange *x)
{
	if (x->seen.start_us != 0)
		x->seen.connect_us = since_start(x);
}

void
seen_answered(struct exchange *x)
{
	if (x->seen.start_us != 0 && x->seen.first_us == 0)
		x->seen.first_us = since_start(x);
}

void
seen_tunnel(struct exchange *x)
{
	struct seen_note *n = x->seen.note, *small;
	size_t size;

	x->seen.flags |= RECORD_TUNNEL;
	if (n == NULL)
		return;
	size = offsetof(struct seen_note, text) + n->method_len + n->host_len + n->path_len + n->id_len;
	small = fl_xmemdup(n, size);
	note_free(x->w, n);
	x->seen.note = small;
}

static void
take_texts(struct record *r, const struct seen_note *n)
{
	const char *at = n->text;

	r->method = (struct fl_span){ at, n->method_len };
	r->host = (struct fl_span){ at += n->method_len, n->host_len };
	r->path = (struct fl_span){ at += n->host_len, n->path_len };
	r->id = (struct fl_span){ at + n->path_len, n->id_len };
}

static void
drop_note(struct exchange *x)
{
	if ((x->seen.flags & RECORD_TUNNEL) != 0)
		free(x->seen.note); /* it has another size */
	else if (x->seen.note != NULL)
		note_free(x->w, x->seen.note);
}

static void
write_journal(const struct exchange *x, struct record *r)
{
	const struct seen *s = &x->seen;

	r->client = s->note != NULL ? s->note->client : x->c->peer;
	if (s->note != NULL)
		take_texts(r, s->note);
	if (s->backend != NULL) {
		r->instance = (struct fl_span){ s->backend->name, strlen(s->backend->name) };
		r->release = (struct fl_span){ s->backend->release, s->backend->release_len };
	}
	journal_add(x->w->plane->journal, x->w->index, r);
}

static APART void
tell(struct exchange *x)
{
	struct seen *s = &x->seen;
	struct record r = {
		.start_us = s->start_us,
		.connect_us = s->connect_us,
		.first_us = s->first_us,
		.up_bytes = x->up.n_bytes,
		.down_bytes = x->down.n_bytes,
		.route = s->route,
		.status = s->status,
		.retries = s->n_dials > 0 ? (uint8_t)(s->n_dials - 1) : 0,
		.flags = s->flags,
	};

	r.total_us = since_start(x);
	if (x->c->is_tls)
		r.flags |= RECORD_TLS;
	if (x->is_tcp)
		r.flags |= RECORD_TCP;
	if (x->c->h2 != NULL)
		r.flags |= RECORD_H2;
	if (s->tally != NULL)
		tally_end(s->tally, &r);
	if ((x->w->plane->seen & SEEN_JOURNAL) != 0)
		write_journal(x, &r);
	drop_note(x);
	if (s->backend != NULL)
		backend_unhold(s->backend, x->w->index);
}

void
seen_end(struct exchange *x)
{
	if (x->seen.start_us != 0)
		tell(x);
}
