/*
 * http_parse - see http_parse.h. Heads; http_chunked.c decodes bodies.
 *
 * One pass over the bytes and no allocation: the router parses every request of every app
 * here. A head that is not complete yet is parsed again from its start when more has
 * come, which FL_HTTP_MAX_HEAD keeps cheap.
 */
#include "libflynn/http_parse.h"

#include <stdlib.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "libflynn/err.h"
#include "libflynn/xmalloc.h"

/* Empty lines before a request line that are skipped. */
#define EMPTY_LINES_MAX 8

/* What a byte may be part of. */
enum {
	TOKEN = 1,  /* RFC 9110 5.6.2 */
	TARGET = 2, /* visible ASCII but "#" */
	HOST = 4,   /* RFC 3986 authority without userinfo */
	VALUE = 8,  /* field-content and whitespace */
};

#define ALNUM (TOKEN | TARGET | HOST | VALUE)
#define RANGE_OF(first, last, bits) [(first)...(last)] = (bits)

/* Ranges are GNU C; they keep this table readable. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
static const unsigned char classes[256] = {
	['\t'] = VALUE,
	[' '] = VALUE,
	['!'] = TOKEN | TARGET | HOST | VALUE,
	['"'] = TARGET | VALUE,
	['#'] = TOKEN | VALUE,
	['$'] = TOKEN | TARGET | HOST | VALUE,
	['%'] = TOKEN | TARGET | HOST | VALUE,
	['&'] = TOKEN | TARGET | HOST | VALUE,
	['\''] = TOKEN | TARGET | HOST | VALUE,
	['('] = TARGET | HOST | VALUE,
	[')'] = TARGET | HOST | VALUE,
	['*'] = TOKEN | TARGET | HOST | VALUE,
	['+'] = TOKEN | TARGET | HOST | VALUE,
	[','] = TARGET | VALUE, /* a sub-delim, but two Host values joined look the same */
	['-'] = TOKEN | TARGET | HOST | VALUE,
	['.'] = TOKEN | TARGET | HOST | VALUE,
	['/'] = TARGET | VALUE,
	RANGE_OF('0', '9', ALNUM),
	[':'] = TARGET | HOST | VALUE,
	[';'] = TARGET | HOST | VALUE,
	['<'] = TARGET | VALUE,
	['='] = TARGET | HOST | VALUE,
	['>'] = TARGET | VALUE,
	['?'] = TARGET | VALUE,
	['@'] = TARGET | VALUE,
	RANGE_OF('A', 'Z', ALNUM),
	['['] = TARGET | HOST | VALUE,
	['\\'] = TARGET | VALUE,
	[']'] = TARGET | HOST | VALUE,
	['^'] = TOKEN | TARGET | VALUE,
	['_'] = TOKEN | TARGET | HOST | VALUE,
	['`'] = TOKEN | TARGET | VALUE,
	RANGE_OF('a', 'z', ALNUM),
	['{'] = TARGET | VALUE,
	['|'] = TOKEN | TARGET | VALUE,
	['}'] = TARGET | VALUE,
	['~'] = TOKEN | TARGET | HOST | VALUE,
	RANGE_OF(0x80, 0xff, VALUE), /* obs-text */
};
#pragma GCC diagnostic pop

/* Where the parse stands, and what Connection and Upgrade have said. */
struct cursor {
	const char *p, *end; /* end: at most FL_HTTP_MAX_HEAD from the start */
	const char *line;    /* the start of the current one */
	bool full;	     /* end is that bound */
	bool close, keep_alive, wants_upgrade, names_upgrade;
	unsigned n_options; /* of Connection */
	struct fl_err *err;
};

static bool
is_class(char c, unsigned class)
{
	return (classes[(unsigned char)c] & class) != 0;
}

/* The first byte in [p, end) that is not of the class. */
static const char *
skip_class(const char *p, const char *end, unsigned class)
{
	while (p < end && is_class(*p, class))
		p++;
	return p;
}

/*
 * As skip_class of TOKEN, sixteen bytes at a time while they are what names are made of: letters, digits and "-".
 */
static const char *
skip_token(const char *p, const char *end)
{
#ifdef __SSE2__
	const __m128i case_bit = _mm_set1_epi8(0x20), a = _mm_set1_epi8('a'), zero = _mm_set1_epi8('0');
	const __m128i dash = _mm_set1_epi8('-'), last_letter = _mm_set1_epi8(25), last_digit = _mm_set1_epi8(9);

	for (; end - p >= 16; p += 16) {
		__m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)p);
		__m128i letter = _mm_sub_epi8(_mm_or_si128(bytes, case_bit), a), digit = _mm_sub_epi8(bytes, zero);
		__m128i good = _mm_or_si128(_mm_cmpeq_epi8(_mm_min_epu8(letter, last_letter), letter),
		    _mm_or_si128(_mm_cmpeq_epi8(_mm_min_epu8(digit, last_digit), digit), _mm_cmpeq_epi8(bytes, dash)));
		unsigned mask = (unsigned)_mm_movemask_epi8(good) ^ 0xffff;

		if (mask == 0)
			continue;
		p += __builtin_ctz(mask);
		return is_class(*p, TOKEN) ? skip_class(p, end, TOKEN) : p;
	}
#endif
	return skip_class(p, end, TOKEN);
}

/* As skip_class of VALUE, sixteen bytes at a time: values are most of a head. */
static const char *
skip_value(const char *p, const char *end)
{
#ifdef __SSE2__
	const __m128i control = _mm_set1_epi8(0x1f), tab = _mm_set1_epi8('\t'), del = _mm_set1_epi8(0x7f);

	for (; end - p >= 16; p += 16) {
		__m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)p);
		__m128i low = _mm_cmpeq_epi8(_mm_min_epu8(bytes, control), bytes);
		__m128i bad = _mm_or_si128(_mm_andnot_si128(_mm_cmpeq_epi8(bytes, tab), low), _mm_cmpeq_epi8(bytes, del));
		unsigned mask = (unsigned)_mm_movemask_epi8(bad);

		if (mask != 0)
			return p + __builtin_ctz(mask);
	}
#endif
	return skip_class(p, end, VALUE);
}

static enum fl_http_parse_result
invalid(const struct cursor *c, const char *why)
{
	fl_err_set(c->err, FL_ERR_INVALID, "%s", why);
	return FL_HTTP_PARSE_ERROR;
}

static enum fl_http_parse_result
too_big(const struct cursor *c, const char *why)
{
	fl_err_set(c->err, FL_ERR_TOO_BIG, "%s", why);
	return FL_HTTP_PARSE_ERROR;
}

/* The bytes have ended before the head did. */
static enum fl_http_parse_result
need_more(const struct cursor *c)
{
	if (c->full)
		return too_big(c, "the head is longer than 32 KiB");
	if (c->end - c->line > FL_HTTP_MAX_LINE)
		return too_big(c, "a line of the head is longer than 8 KiB");
	return FL_HTTP_PARSE_MORE;
}

/* Take the CR LF that ends the line; why is said when something else stands there. */
static enum fl_http_parse_result
end_line(struct cursor *c, const char *why)
{
	if (c->p == c->end)
		return need_more(c);
	if (*c->p != '\r')
		return invalid(c, why);
	if (c->end - c->p < 2)
		return need_more(c);
	if (c->p[1] != '\n')
		return invalid(c, "a bare CR in the head");
	c->p += 2;
	if (c->p - c->line > FL_HTTP_MAX_LINE)
		return too_big(c, "a line of the head is longer than 8 KiB");
	return FL_HTTP_PARSE_DONE;
}

/* Take a span of the class, not empty, and the space behind it. */
static enum fl_http_parse_result
take_word(struct cursor *c, unsigned class, struct fl_span *out, const char *why)
{
	const char *start = c->p;

	c->p = skip_class(c->p, c->end, class);
	if (c->p == c->end)
		return need_more(c);
	if (*c->p != ' ' || c->p == start)
		return invalid(c, why);
	*out = (struct fl_span){ start, (size_t)(c->p - start) };
	c->p++;
	return FL_HTTP_PARSE_DONE;
}

/* "HTTP/1.x"; a minor above 1 counts as 1 (RFC 9112 2.3). */
static enum fl_http_parse_result
take_version(struct cursor *c, int *minor)
{
	static const char pattern[] = "HTTP/0.0"; /* 0: any digit */
	const char *start = c->p;

	if (c->end - c->p >= 8 && memcmp(c->p, "HTTP/1.1", 8) == 0) {
		c->p += 8;
		*minor = 1;
		return FL_HTTP_PARSE_DONE;
	}
	for (size_t i = 0; i < sizeof(pattern) - 1; i++, c->p++) {
		if (c->p == c->end)
			return need_more(c);
		if (pattern[i] == '0' ? *c->p < '0' || *c->p > '9' : *c->p != pattern[i])
			return invalid(c, "no HTTP version in the first line");
	}
	if (start[5] != '1') {
		fl_err_set(c->err, FL_ERR_UNAVAILABLE, "HTTP/%c.%c is not spoken here", start[5], start[7]);
		return FL_HTTP_PARSE_ERROR;
	}
	*minor = start[7] == '0' ? 0 : 1;
	return FL_HTTP_PARSE_DONE;
}

static bool
is_host(struct fl_span host)
{
	const char *end = host.p + host.len;

	return skip_class(host.p, end, HOST) == end;
}

/* The authority of an absolute-form target, which goes before Host (RFC 9112 3.2.2). */
static bool
authority_of(struct fl_span target, struct fl_span *host)
{
	size_t start = 0, len = 0;

	if (target.len > 7 && fl_span_ieq((struct fl_span){ target.p, 7 }, "http://"))
		start = 7;
	else if (target.len > 8 && fl_span_ieq((struct fl_span){ target.p, 8 }, "https://"))
		start = 8;
	else
		return false;
	while (start + len < target.len && target.p[start + len] != '/' && target.p[start + len] != '?')
		len++;
	*host = (struct fl_span){ target.p + start, len };
	return len > 0 && is_host(*host);
}

/* The four forms of RFC 9112 3.2; and the one path that there is CONNECT to, which is what Go's net/rpc asks. */
static bool
is_target(const struct fl_http_head *head)
{
	struct fl_span host;

	if (fl_span_eq(head->method, "CONNECT"))
		return is_host(head->target) || fl_span_eq(head->target, "/_goRPC_");
	if (fl_span_eq(head->method, "PRI")) /* HTTP/2's preface, RFC 9113 3.4: nobody may use it */
		return false;
	if (*head->target.p == '/')
		return true;
	if (fl_span_eq(head->target, "*"))
		return fl_span_eq(head->method, "OPTIONS");
	return authority_of(head->target, &host);
}

static enum fl_http_parse_result
take_request_line(struct cursor *c, struct fl_http_head *head)
{
	enum fl_http_parse_result r;

	for (int n = 0; c->p < c->end && *c->p == '\r'; n++) {
		/* RFC 9112 2.2 wants one to be borne. Each that comes alone has all looked at again. */
		if (n == EMPTY_LINES_MAX)
			return invalid(c, "too many empty lines before the request");
		c->line = c->p;
		if ((r = end_line(c, "")) != FL_HTTP_PARSE_DONE)
			return r;
	}
	c->line = c->p;
	if ((r = take_word(c, TOKEN, &head->method, "the request line does not start with a method")) != FL_HTTP_PARSE_DONE)
		return r;
	if ((r = take_word(c, TARGET, &head->target, "the request line has no valid target")) != FL_HTTP_PARSE_DONE)
		return r;
	if (!is_target(head))
		return invalid(c, "the request line has no valid target");
	if ((r = take_version(c, &head->minor)) != FL_HTTP_PARSE_DONE)
		return r;
	return end_line(c, "the request line does not end behind its version");
}

static enum fl_http_parse_result
take_status_line(struct cursor *c, struct fl_http_head *head)
{
	enum fl_http_parse_result r = take_version(c, &head->minor);
	const char *start = NULL;

	if (r != FL_HTTP_PARSE_DONE)
		return r;
	if (c->end - c->p < 5) /* " 200" and the byte behind it */
		return need_more(c);
	for (int i = 1; i <= 3; i++) {
		if (c->p[i] < '0' || c->p[i] > '9')
			return invalid(c, "no status in the status line");
		head->status = head->status * 10 + (c->p[i] - '0');
	}
	if (*c->p != ' ' || head->status < 100 || head->status > 599 || (c->p[4] != ' ' && c->p[4] != '\r'))
		return invalid(c, "no status in the status line");
	c->p += c->p[4] == ' ' ? 5 : 4; /* the space is due even before no reason, but often left out */
	start = c->p;
	c->p = skip_value(c->p, c->end);
	head->reason = (struct fl_span){ start, (size_t)(c->p - start) };
	return end_line(c, "a control byte in the status line");
}

static const char *
why_no_name(const struct cursor *c)
{
	bool at_start = c->p == c->line;

	if (*c->p == ' ' || *c->p == '\t')
		return at_start ? "a folded header line" : "whitespace before a header's colon";
	return at_start ? "a header without a name" : "a byte that no header name may have";
}

static enum fl_http_parse_result
take_header(struct cursor *c, struct fl_http_header *h)
{
	const char *value = NULL, *end = NULL;

	c->p = skip_token(c->p, c->end);
	if (c->p == c->end)
		return need_more(c);
	if (*c->p != ':' || c->p == c->line)
		return invalid(c, why_no_name(c));
	h->name = (struct fl_span){ c->line, (size_t)(c->p - c->line) };
	c->p++;
	while (c->p < c->end && (*c->p == ' ' || *c->p == '\t'))
		c->p++;
	value = c->p;
	end = c->p = skip_value(c->p, c->end);
	while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	h->value = (struct fl_span){ value, (size_t)(end - value) };
	return end_line(c, "a control byte in a header's value");
}

/* The next element of a comma list, without whitespace; false at the end. Empty elements are skipped (RFC 9110 5.6.1). */
static bool
next_element(struct fl_span *list, struct fl_span *out)
{
	const char *p = list->p, *end = list->p + list->len, *start = NULL;

	while (p < end && (*p == ',' || *p == ' ' || *p == '\t'))
		p++;
	start = p;
	while (p < end && *p != ',')
		p++;
	*list = (struct fl_span){ p, (size_t)(end - p) };
	while (p > start && (p[-1] == ' ' || p[-1] == '\t'))
		p--;
	*out = (struct fl_span){ start, (size_t)(p - start) };
	return p > start;
}

static enum fl_http_parse_result
note_content_length(struct cursor *c, struct fl_http_head *head, struct fl_span value)
{
	int64_t n = 0;

	if (head->content_length != -1)
		return invalid(c, "Content-Length is there twice");
	if (value.len == 0 || value.len > 18) /* 18 digits always fit */
		return invalid(c, "a bad Content-Length");
	for (size_t i = 0; i < value.len; i++) {
		if (value.p[i] < '0' || value.p[i] > '9')
			return invalid(c, "a bad Content-Length");
		n = n * 10 + (value.p[i] - '0');
	}
	head->content_length = n;
	return FL_HTTP_PARSE_DONE;
}

static enum fl_http_parse_result
note_transfer_encoding(struct cursor *c, struct fl_http_head *head, struct fl_span value)
{
	if (head->chunked || !fl_span_ieq(value, "chunked"))
		return invalid(c, "a Transfer-Encoding other than \"chunked\"");
	if (head->minor == 0)
		return invalid(c, "Transfer-Encoding in HTTP/1.0");
	head->chunked = true;
	return FL_HTTP_PARSE_DONE;
}

static enum fl_http_parse_result
note_host(struct cursor *c, struct fl_http_head *head, struct fl_span value)
{
	if (head->host.p != NULL)
		return invalid(c, "Host is there twice");
	if (!is_host(value))
		return invalid(c, "a bad Host");
	head->host = value;
	return FL_HTTP_PARSE_DONE;
}

/* No more than there may be headers: who leaves out those that are named compares each with each. */
static enum fl_http_parse_result
note_connection(struct cursor *c, struct fl_span value)
{
	struct fl_span option;

	while (next_element(&value, &option)) {
		if (c->n_options++ == FL_HTTP_MAX_HEADERS)
			return too_big(c, "more than 128 options of Connection");
		c->close |= fl_span_ieq(option, "close");
		c->keep_alive |= fl_span_ieq(option, "keep-alive");
		c->wants_upgrade |= fl_span_ieq(option, "upgrade");
	}
	return FL_HTTP_PARSE_DONE;
}

/* Look at the headers that say how the message is framed; their lengths tell most others apart at once. */
static void
note_expect(struct fl_http_head *head, struct fl_span value)
{
	struct fl_span expectation;

	while (next_element(&value, &expectation)) {
		bool is_continue = fl_span_ieq(expectation, "100-continue");

		head->expect_other |= !is_continue;
		head->expect_continue |= is_continue && head->minor == 1;
	}
}

static enum fl_http_parse_result
note_header(struct cursor *c, struct fl_http_head *head, const struct fl_http_header *h)
{
	switch (h->name.len) {
	case sizeof("Host") - 1:
		if (fl_span_ieq(h->name, "Host"))
			return note_host(c, head, h->value);
		break;
	case sizeof("Expect") - 1:
		if (fl_span_ieq(h->name, "Expect"))
			note_expect(head, h->value);
		break;
	case sizeof("Upgrade") - 1:
		c->names_upgrade |= fl_span_ieq(h->name, "Upgrade");
		break;
	case sizeof("Connection") - 1:
		if (fl_span_ieq(h->name, "Connection"))
			return note_connection(c, h->value);
		break;
	case sizeof("Content-Length") - 1:
		if (fl_span_ieq(h->name, "Content-Length"))
			return note_content_length(c, head, h->value);
		break;
	case sizeof("Transfer-Encoding") - 1:
		if (fl_span_ieq(h->name, "Transfer-Encoding"))
			return note_transfer_encoding(c, head, h->value);
		break;
	}
	return FL_HTTP_PARSE_DONE;
}

static enum fl_http_parse_result
take_headers(struct cursor *c, struct fl_http_head *head)
{
	enum fl_http_parse_result r;

	for (;;) {
		struct fl_http_header *h = &head->headers[head->n_headers];

		c->line = c->p;
		if (c->p < c->end && *c->p == '\r')
			return end_line(c, "");
		if (head->n_headers == FL_HTTP_MAX_HEADERS)
			return too_big(c, "more than 128 headers");
		if ((r = take_header(c, h)) != FL_HTTP_PARSE_DONE || (r = note_header(c, head, h)) != FL_HTTP_PARSE_DONE)
			return r;
		head->n_headers++;
	}
}

static struct cursor
begin(const char *data, size_t len, struct fl_http_head *head, struct fl_err *err)
{
	bool full = len >= FL_HTTP_MAX_HEAD;

	/* Not the array of headers: clearing 4 KiB would cost more than many a parse. */
	head->method = head->target = head->reason = head->host = (struct fl_span){ NULL, 0 };
	head->status = head->minor = 0;
	head->n_headers = head->head_len = 0;
	head->chunked = head->keep_alive = head->upgrade = head->expect_continue = false;
	head->expect_other = head->in_first_line = false;
	head->content_length = -1;
	return (struct cursor){ .p = data, .end = data + (full ? FL_HTTP_MAX_HEAD : len), .line = data, .full = full, .err = err };
}

/* The rest, once the first line is taken. */
static enum fl_http_parse_result
finish(struct cursor *c, const char *data, struct fl_http_head *head)
{
	enum fl_http_parse_result r = take_headers(c, head);

	if (r != FL_HTTP_PARSE_DONE)
		return r;
	if (head->chunked && head->content_length != -1)
		return invalid(c, "both Content-Length and Transfer-Encoding");
	head->keep_alive = !c->close && (head->minor == 1 || c->keep_alive);
	head->upgrade = c->wants_upgrade && c->names_upgrade;
	head->head_len = (size_t)(c->p - data);
	return FL_HTTP_PARSE_DONE;
}

enum fl_http_parse_result
fl_http_parse_request(const char *data, size_t len, struct fl_http_head *head, struct fl_err *err)
{
	struct cursor c = begin(data, len, head, err);
	enum fl_http_parse_result r = take_request_line(&c, head);

	head->in_first_line = r == FL_HTTP_PARSE_ERROR;
	if (r != FL_HTTP_PARSE_DONE || (r = finish(&c, data, head)) != FL_HTTP_PARSE_DONE)
		return r;
	if (head->minor == 1 && head->host.p == NULL)
		return invalid(&c, "no Host");
	authority_of(head->target, &head->host);
	if (head->minor == 1 && head->host.len == 0)
		return invalid(&c, "an empty Host");
	return FL_HTTP_PARSE_DONE;
}

enum fl_http_parse_result
fl_http_parse_response(const char *data, size_t len, struct fl_http_head *head, struct fl_err *err)
{
	struct cursor c = begin(data, len, head, err);
	enum fl_http_parse_result r = take_status_line(&c, head);

	return r == FL_HTTP_PARSE_DONE ? finish(&c, data, head) : r;
}

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

bool
fl_span_ieq(struct fl_span s, const char *text)
{
	for (size_t i = 0; i < s.len; i++)
		if (text[i] == '\0' || (s.p[i] != text[i] && lower(s.p[i]) != lower(text[i])))
			return false;
	return text[s.len] == '\0';
}

bool
fl_span_eq(struct fl_span s, const char *text)
{
	return strlen(text) == s.len && memcmp(s.p, text, s.len) == 0;
}

const struct fl_http_header *
fl_http_head_find(const struct fl_http_head *head, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < head->n_headers; i++)
		if (head->headers[i].name.len == len && fl_span_ieq(head->headers[i].name, name))
			return &head->headers[i];
	return NULL;
}

bool
fl_http_head_has_token(const struct fl_http_head *head, const char *name, const char *token)
{
	for (size_t i = 0; i < head->n_headers; i++) {
		struct fl_span list = head->headers[i].value, element;

		if (!fl_span_ieq(head->headers[i].name, name))
			continue;
		while (next_element(&list, &element))
			if (fl_span_ieq(element, token))
				return true;
	}
	return false;
}
