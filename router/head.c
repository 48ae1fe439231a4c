#include "router/head.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

#include "libflynn/attr.h"
#include "router/forwarded.h"
#include "router/put.h"

/* All that we add to a request: the fixed texts and an id, and what forwarded.h says. */
#define ADDED_MAX (256 + FORWARDED_MAX)
/* The options of Connection that are kept apart; those of longer lists are looked up in the lists. */
#define OPTIONS_MAX 16

#define ID_MIN 20
#define ID_MAX 200

enum field {
	FIELD_PLAIN,
	FIELD_HOP,    /* only ever about one connection */
	FIELD_FRAME,  /* Transfer-Encoding: written anew from what was parsed */
	FIELD_LENGTH, /* Content-Length */
	FIELD_HOST,
	FIELD_UPGRADE,
	FIELD_DATE,
	FIELD_MAX_FORWARDS,
	FIELD_OURS, /* set by us, by what the client says or not: see forwarded.h */
	FIELD_ID
};

/* By length. */
static const struct {
	const char *name;
	enum field field;
} fields[] = {
	{ "TE", FIELD_HOP },
	{ "Date", FIELD_DATE },
	{ "Host", FIELD_HOST },
	{ "Upgrade", FIELD_UPGRADE },
	{ "Forwarded", FIELD_OURS },
	{ "Connection", FIELD_HOP },
	{ "Keep-Alive", FIELD_HOP },
	{ "Max-Forwards", FIELD_MAX_FORWARDS },
	{ "X-Request-Id", FIELD_ID },
	{ "Content-Length", FIELD_LENGTH },
	{ "HTTP2-Settings", FIELD_HOP },
	{ "X-Forwarded-For", FIELD_OURS },
	{ "X-Request-Start", FIELD_OURS },
	{ "Proxy-Connection", FIELD_HOP },
	{ "X-Forwarded-Port", FIELD_OURS },
	{ "Transfer-Encoding", FIELD_FRAME },
	{ "X-Forwarded-Proto", FIELD_OURS },
	{ "Proxy-Authorization", FIELD_HOP },
};

/* Where the names of each length are among them. */
static const struct {
	uint8_t first, n;
} of_length[] = {
	[2] = { 0, 1 },
	[4] = { 1, 2 },
	[7] = { 3, 1 },
	[9] = { 4, 1 },
	[10] = { 5, 2 },
	[12] = { 7, 2 },
	[14] = { 9, 2 },
	[15] = { 11, 2 },
	[16] = { 13, 2 },
	[17] = { 15, 2 },
	[19] = { 17, 1 },
};

/*
 * A name with "_" in the place of "-", which CGI and its heirs (WSGI, Rack, PHP) cannot tell from the
 * one that we set or have checked.
 */
static bool
is_lookalike(struct fl_span name)
{
	static const char *const ours[] = { "Transfer-Encoding", "Content-Length", "Host", "X-Forwarded-For", "X-Forwarded-Proto",
		"X-Forwarded-Port", "X-Request-Start", "X-Request-Id" };
	char text[24];

	if (name.len >= sizeof(text))
		return false;
	for (size_t i = 0; i < name.len; i++)
		text[i] = name.p[i] == '_' ? '-' : name.p[i];
	for (size_t i = 0; i < fl_nitems(ours); i++)
		if (fl_span_ieq((struct fl_span){ text, name.len }, ours[i]))
			return true;
	return false;
}

/* Asked for each header of each head: length and first letter tell almost all of them apart. */
static enum field
field_of(struct fl_span name)
{
	if (name.len < fl_nitems(of_length)) {
		size_t first = of_length[name.len].first;

		for (size_t i = first; i < first + of_length[name.len].n; i++)
			if (((fields[i].name[0] ^ *name.p) & 0x5f) == 0 && strncasecmp(fields[i].name, name.p, name.len) == 0)
				return fields[i].field;
	}
	return memchr(name.p, '_', name.len) != NULL && is_lookalike(name) ? FIELD_HOP : FIELD_PLAIN;
}

/* The header names that Connection lists. */
struct options {
	const struct fl_http_head *h;
	size_t n;
	struct fl_span names[OPTIONS_MAX];
};

/* Take the next one off the list. False: there is none. */
static bool
next_option(struct fl_span *list, struct fl_span *out)
{
	const char *p = list->p, *end = list->p + list->len, *start, *stop;

	while (p < end && (*p == ',' || *p == ' ' || *p == '\t'))
		p++;
	start = p;
	while (p < end && *p != ',')
		p++;
	for (stop = p; stop > start && (stop[-1] == ' ' || stop[-1] == '\t');)
		stop--;
	*out = (struct fl_span){ start, (size_t)(stop - start) };
	*list = (struct fl_span){ p, (size_t)(end - p) };
	return stop > start;
}

static bool
is_connection(const struct fl_http_header *header)
{
	return header->name.len == sizeof("Connection") - 1 && fl_span_ieq(header->name, "Connection");
}

static void
find_options(const struct fl_http_head *h, struct options *o)
{
	o->h = h;
	o->n = 0;
	for (size_t i = 0; i < h->n_headers; i++) {
		struct fl_span list = h->headers[i].value;

		if (is_connection(&h->headers[i]))
			while (o->n < OPTIONS_MAX && next_option(&list, &o->names[o->n]))
				o->n++;
	}
}

static bool
same_name(struct fl_span a, struct fl_span b)
{
	return a.len == b.len && strncasecmp(a.p, b.p, a.len) == 0;
}

/* As is_among(), from the lists themselves: so many options are an attack, or nearly. */
static bool
is_in_lists(const struct fl_http_head *h, struct fl_span name)
{
	for (size_t i = 0; i < h->n_headers; i++) {
		struct fl_span list = h->headers[i].value, option;

		if (!is_connection(&h->headers[i]))
			continue;
		while (next_option(&list, &option))
			if (same_name(option, name))
				return true;
	}
	return false;
}

static bool
is_among(const struct options *o, struct fl_span name)
{
	for (size_t i = 0; i < o->n; i++)
		if (same_name(o->names[i], name))
			return true;
	return o->n == OPTIONS_MAX && is_in_lists(o->h, name);
}

/* Most heads have none. */
static inline bool
is_option(const struct options *o, struct fl_span name)
{
	return o->n > 0 && is_among(o, name);
}

static char *
put_header(char *at, const struct fl_http_header *h)
{
	at = put_span(at, h->name);
	*at++ = ':';
	*at++ = ' ';
	at = put_span(at, h->value);
	*at++ = '\r';
	*at++ = '\n';
	return at;
}

/* The target in origin-form, or "*". */
static char *
put_target(char *at, const struct fl_http_head *h)
{
	const char *p = h->target.p, *end = p + h->target.len;

	if (*p == '/' || *p == '*')
		return put_span(at, h->target);
	p = h->host.p + h->host.len; /* the authority of an absolute-form target, and what is behind it */
	assert(p > h->target.p && p <= end);
	if (p == end)
		return put(at, fl_span_eq(h->method, "OPTIONS") ? "*" : "/");
	if (*p == '?')
		*at++ = '/';
	return mempcpy(at, p, (size_t)(end - p));
}

static bool
is_valid_id(struct fl_span id)
{
	if (id.len < ID_MIN || id.len > ID_MAX)
		return false;
	for (size_t i = 0; i < id.len; i++) {
		char c = id.p[i];

		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '+' || c == '/' ||
			c == '=' || c == '-'))
			return false;
	}
	return true;
}

/* Two ids are none: the first valid one stands only if it is the only one. */
static char *
put_id(char *at, const struct fl_span ids[], size_t n, const char *new_id, struct fl_span *id)
{
	at = put(at, "X-Request-Id: ");
	id->p = at;
	at = n == 1 && is_valid_id(ids[0]) ? put_span(at, ids[0]) : put(at, new_id);
	id->len = (size_t)(at - id->p);
	return put(at, "\r\n");
}

/* Whether intermediaries are counted for this method. */
static bool
is_counted(struct fl_span method)
{
	return fl_span_eq(method, "OPTIONS") || fl_span_eq(method, "TRACE");
}

/* The number of Max-Forwards; -1: it is none that can be counted with. */
static int
number_of(struct fl_span value)
{
	int n = 0;

	if (value.len == 0 || value.len > 9)
		return -1;
	for (size_t i = 0; i < value.len; i++) {
		if (value.p[i] < '0' || value.p[i] > '9')
			return -1;
		n = 10 * n + (value.p[i] - '0');
	}
	return n;
}

bool
head_is_for_us(const struct fl_http_head *h)
{
	const struct fl_http_header *max = is_counted(h->method) ? fl_http_head_find(h, "Max-Forwards") : NULL;

	return max != NULL && number_of(max->value) == 0;
}

/* One less than it was. */
static char *
put_max_forwards(char *at, const struct fl_http_header *max)
{
	int n = number_of(max->value);

	if (n <= 0)
		return put_header(at, max);
	at = put(at, "Max-Forwards: ");
	at = put_number(at, (unsigned)n - 1);
	return put(at, "\r\n");
}

bool
head_wants_upgrade(const struct fl_http_head *h)
{
	/* An old client's is ignored, RFC 9110 7.8. */
	return h->upgrade && h->minor > 0 && !fl_http_head_has_token(h, "Upgrade", "h2c");
}

size_t
head_request_room(const struct fl_http_head *h, const struct head_origin *from)
{
	return h->head_len + h->host.len + 2 * strlen(from->peer) + ADDED_MAX + ID_MAX;
}

size_t
head_write_request(char *out, const struct fl_http_head *h, const struct head_origin *from, struct fl_span *id)
{
	bool upgrade = head_wants_upgrade(h), is_told = false;
	struct fl_span ids[1];
	size_t n_ids = 0;
	struct options options;
	char *at = out;

	find_options(h, &options);
	at = put_span(at, h->method);
	*at++ = ' ';
	at = put_target(at, h);
	at = put(at, " HTTP/1.1\r\nHost: ");
	at = put_span(at, h->host);
	at = put(at, "\r\n");
	for (size_t i = 0; i < h->n_headers; i++) {
		const struct fl_http_header *header = &h->headers[i];

		switch (field_of(header->name)) {
		case FIELD_PLAIN:
		case FIELD_DATE:
			if (!is_option(&options, header->name))
				at = put_header(at, header);
			break;
		case FIELD_MAX_FORWARDS:
			at = is_counted(h->method) ? put_max_forwards(at, header) : put_header(at, header);
			break;
		case FIELD_LENGTH:
			at = put_header(at, header);
			break;
		case FIELD_UPGRADE:
			if (upgrade)
				at = put_header(at, header);
			break;
		case FIELD_ID:
			if (n_ids++ == 0)
				ids[0] = header->value;
			break;
		case FIELD_OURS:
			is_told = true;
			break;
		case FIELD_HOP:
		case FIELD_FRAME:
		case FIELD_HOST:
			break;
		}
	}
	if (h->chunked)
		at = put(at, "Transfer-Encoding: chunked\r\n");
	if (upgrade)
		at = put(at, "Connection: Upgrade\r\n");
	at = put(at, from->is_h2 ? "Via: 2.0 flynn\r\n" : h->minor > 0 ? "Via: 1.1 flynn\r\n" : "Via: 1.0 flynn\r\n");
	at = forwarded_write(at, h, from, is_told);
	at = put_id(at, ids, n_ids, from->new_id, id);
	at = put(at, "\r\n");
	return (size_t)(at - out);
}

static char *
put_status_line(char *at, const struct fl_http_head *h)
{
	at = put(at, "HTTP/1.1 ");
	at = put_number(at, h->status);
	*at++ = ' ';
	at = put_span(at, h->reason);
	return put(at, "\r\n");
}

/* The headers of an answer but those about our connections. */
static char *
put_answer_headers(char *at, const struct fl_http_head *h, bool with_length, bool with_upgrade, struct head_has *has)
{
	struct options options;

	find_options(h, &options);
	for (size_t i = 0; i < h->n_headers; i++) {
		const struct fl_http_header *header = &h->headers[i];

		switch (field_of(header->name)) {
		case FIELD_HOP:
		case FIELD_FRAME:
			break;
		case FIELD_LENGTH:
			if (with_length)
				at = put_header(at, header);
			break;
		case FIELD_UPGRADE:
			if (with_upgrade)
				at = put_header(at, header);
			break;
		case FIELD_ID:
			has->id = true;
			at = put_header(at, header);
			break;
		case FIELD_DATE:
			has->date = true;
			at = put_header(at, header);
			break;
		case FIELD_PLAIN:
		case FIELD_MAX_FORWARDS:
		case FIELD_HOST:
		case FIELD_OURS:
			if (!is_option(&options, header->name))
				at = put_header(at, header);
			break;
		}
	}
	return at;
}

size_t
head_answer_room(const struct fl_http_head *h)
{
	return h->head_len + ADDED_MAX + ID_MAX;
}

size_t
head_write_answer(char *out, const struct fl_http_head *h, const struct head_answer *to)
{
	/* 204 has no coding either, RFC 9112 6.1. */
	bool is_chunked = h->chunked && h->status != 204 && to->client_minor > 0;
	struct head_has has = { 0 };
	char *at = put_status_line(out, h);

	/* 204 has no body and no length, RFC 9110 8.6; 426 says what to upgrade to, 15.5.22. */
	at = put_answer_headers(at, h, h->status != 204, h->status == 426, &has);
	if (is_chunked && to->has_body)
		at = put(at, "Transfer-Encoding: chunked\r\n");
	if (!has.id && to->id.len > 0) {
		at = put(at, "X-Request-Id: ");
		at = put_span(at, to->id);
		at = put(at, "\r\n");
	}
	if (!has.date && to->date.len > 0) {
		at = put(at, "Date: ");
		at = put_span(at, to->date);
		at = put(at, "\r\n");
	}
	if (h->status == 426 && to->keep_alive)
		at = put(at, "Connection: Upgrade\r\n");
	else if (!to->keep_alive)
		at = put(at, "Connection: close\r\n");
	else if (to->client_minor == 0)
		at = put(at, "Connection: keep-alive\r\n");
	at = put(at, "\r\n");
	return (size_t)(at - out);
}

size_t
head_write_interim(char *out, const struct fl_http_head *h)
{
	bool is_switch = h->status == 101;
	struct head_has has = { 0 };
	char *at = put_status_line(out, h);

	/* Clients of 2014 want the Content-Length: 0 that their 101 has. */
	at = put_answer_headers(at, h, is_switch, is_switch, &has);
	if (is_switch && h->upgrade)
		at = put(at, "Connection: Upgrade\r\n");
	at = put(at, "\r\n");
	return (size_t)(at - out);
}

size_t
head_pick_answer(const struct fl_http_head *h, const struct fl_http_header *picked[FL_HTTP_MAX_HEADERS], struct head_has *has)
{
	struct options options;
	size_t n = 0;

	find_options(h, &options);
	for (size_t i = 0; i < h->n_headers; i++) {
		const struct fl_http_header *header = &h->headers[i];
		enum field field = field_of(header->name);

		if (field == FIELD_HOP || field == FIELD_FRAME || field == FIELD_UPGRADE)
			continue;
		if (field == FIELD_LENGTH ? h->status < 200 || h->status == 204 : is_option(&options, header->name))
			continue;
		has->id |= field == FIELD_ID;
		has->date |= field == FIELD_DATE;
		picked[n++] = header;
	}
	return n;
}
