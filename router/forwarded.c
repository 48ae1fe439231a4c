#include "router/forwarded.h"

#include <stdint.h>
#include <string.h>

#include "router/head.h"
#include "router/put.h"

/* The most that X-Request-Start may say: "t=" and microseconds with a fraction are some 24 bytes. */
#define START_MAX 32

/* RFC 9110 5.6.2. */
static bool
is_token_char(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static size_t
token_len(struct fl_span s)
{
	size_t n = 0;

	while (n < s.len && is_token_char(s.p[n]))
		n++;
	return n;
}

/* Of the quoted string that s begins with, quotes and all; 0: it does not end. */
static size_t
quoted_len(struct fl_span s)
{
	for (size_t i = 1; i < s.len; i++) {
		if (s.p[i] == '"')
			return i + 1;
		if (s.p[i] == '\\')
			i++;
	}
	return 0;
}

static struct fl_span
skip(struct fl_span s, size_t n)
{
	return (struct fl_span){ s.p + n, s.len - n };
}

/*
 * Elements by comma, pairs in them by semicolon, both of which may be empty; a pair is token=token or
 * token="quoted". Whitespace may stand around commas only; we let it pass around semicolons, as others do.
 */
bool
forwarded_is_valid(struct fl_span s)
{
	while (s.len > 0) {
		size_t n;

		if (strchr(" \t,;", *s.p) != NULL && *s.p != '\0') {
			s = skip(s, 1);
			continue;
		}
		n = token_len(s);
		if (n == 0 || n == s.len || s.p[n] != '=')
			return false;
		s = skip(s, n + 1);
		n = s.len > 0 && *s.p == '"' ? quoted_len(s) : token_len(s);
		if (n == 0)
			return false;
		s = skip(s, n);
		while (s.len > 0 && (*s.p == ' ' || *s.p == '\t'))
			s = skip(s, 1);
		if (s.len > 0 && *s.p != ',' && *s.p != ';')
			return false;
	}
	return true;
}

/* Our entry of Forwarded: an IPv6 address is quoted and bracketed, RFC 7239 6. */
static char *
put_entry(char *at, const struct head_origin *from)
{
	bool is_ipv6 = strchr(from->peer, ':') != NULL;

	at = put(at, is_ipv6 ? "for=\"[" : "for=");
	at = put(at, from->peer);
	at = put(at, is_ipv6 ? "]\";proto=" : ";proto=");
	return put(at, from->is_tls ? "https\r\n" : "http\r\n");
}

/* The values of all headers of that name as one list, with a comma behind it. */
static char *
put_list(char *at, const struct fl_http_head *h, const char *name)
{
	for (size_t i = 0; i < h->n_headers; i++) {
		if (h->headers[i].value.len == 0 || !fl_span_ieq(h->headers[i].name, name))
			continue;
		at = put_span(at, h->headers[i].value);
		at = put(at, ", ");
	}
	return at;
}

static bool
are_valid(const struct fl_http_head *h)
{
	for (size_t i = 0; i < h->n_headers; i++)
		if (fl_span_ieq(h->headers[i].name, "Forwarded") && !forwarded_is_valid(h->headers[i].value))
			return false;
	return true;
}

/* The value of the only header of that name; len 0: there is none, or several that contradict one another. */
static struct fl_span
only(const struct fl_http_head *h, const char *name)
{
	struct fl_span value = { NULL, 0 };
	size_t n = 0;

	for (size_t i = 0; i < h->n_headers; i++) {
		if (!fl_span_ieq(h->headers[i].name, name))
			continue;
		value = h->headers[i].value;
		n++;
	}
	if (n != 1)
		value.len = 0;
	return value;
}

static bool
is_port(struct fl_span s)
{
	int port = 0;

	if (s.len == 0 || s.len > 5)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		port = port * 10 + (s.p[i] - '0');
	}
	return port > 0 && port <= UINT16_MAX;
}

/* A time since the epoch in whatever unit, as proxies write it: digits, a dot, "t=" before them. */
static bool
is_start(struct fl_span s)
{
	if (s.len > 2 && s.p[0] == 't' && s.p[1] == '=')
		s = skip(s, 2);
	if (s.len == 0 || s.len > START_MAX || *s.p == '.')
		return false;
	for (size_t i = 0; i < s.len; i++)
		if ((s.p[i] < '0' || s.p[i] > '9') && s.p[i] != '.')
			return false;
	return true;
}

/* Which of https and http a trusted proxy's client came by. */
static bool
is_https(const struct fl_http_head *h, const struct head_origin *from, bool *is_kept)
{
	struct fl_span proto = only(h, "X-Forwarded-Proto");

	*is_kept = fl_span_ieq(proto, "https") || fl_span_ieq(proto, "http");
	return *is_kept ? fl_span_ieq(proto, "https") : from->is_tls;
}

bool
forwarded_is_https(const struct fl_http_head *h, bool is_tls, enum forwarded_trust trust)
{
	struct head_origin from = { .is_tls = is_tls };
	bool is_kept;

	return trust == FORWARDED_KEEP ? is_https(h, &from, &is_kept) : is_tls;
}

static char *
put_kept(char *at, const struct fl_http_head *h, const struct head_origin *from)
{
	struct fl_span port = only(h, "X-Forwarded-Port"), start = only(h, "X-Request-Start");
	bool is_kept, https = is_https(h, from, &is_kept);

	at = put(at, https ? "X-Forwarded-Proto: https\r\nX-Forwarded-Port: " : "X-Forwarded-Proto: http\r\nX-Forwarded-Port: ");
	if (is_port(port))
		at = put_span(at, port);
	else if (is_kept && https != from->is_tls)
		at = put(at, https ? "443" : "80"); /* ours is no port of that protocol */
	else
		at = put_number(at, from->port);
	at = put(at, "\r\nX-Request-Start: ");
	at = is_start(start) ? put_span(at, start) : put_number(at, from->start_ms);
	return put(at, "\r\n");
}

char *
forwarded_write(char *at, const struct fl_http_head *h, const struct head_origin *from, bool is_told)
{
	if (from->trust == FORWARDED_REPLACE)
		is_told = false;
	at = put(at, "X-Forwarded-For: ");
	if (is_told)
		at = put_list(at, h, "X-Forwarded-For");
	at = put(at, from->peer);
	at = put(at, "\r\nForwarded: ");
	if (is_told && are_valid(h))
		at = put_list(at, h, "Forwarded");
	at = put_entry(at, from);
	if (is_told && from->trust == FORWARDED_KEEP)
		return put_kept(at, h, from);
	at = put(at, from->is_tls ? "X-Forwarded-Proto: https\r\nX-Forwarded-Port: " : "X-Forwarded-Proto: http\r\nX-Forwarded-Port: ");
	at = put_number(at, from->port);
	at = put(at, "\r\nX-Request-Start: ");
	at = put_number(at, from->start_ms);
	return put(at, "\r\n");
}
