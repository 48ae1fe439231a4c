/*
 * url - see url.h.
 */
#include "libflynn/url.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/xmalloc.h"

/* Parts of a URL's text, before anything is copied. */
struct parts {
	const char *scheme, *user, *host, *port, *path;
	size_t scheme_len, user_len, host_len, port_len, path_len;
};

static bool
is_unreserved(char c)
{
	return isalnum((unsigned char)c) || c == '-' || c == '.' || c == '_' || c == '~';
}

static bool
is_hex_pair(const char *s)
{
	return isxdigit((unsigned char)s[0]) && isxdigit((unsigned char)s[1]);
}

/* Only the characters of RFC 3986, each "%" with its two digits; extra are those allowed beside the unreserved. */
static bool
is_encoded(const char *s, size_t len, const char *extra)
{
	for (size_t i = 0; i < len; i++) {
		if (s[i] == '%' && len - i > 2 && is_hex_pair(s + i + 1))
			i += 2;
		else if (s[i] == '\0' || (!is_unreserved(s[i]) && strchr(extra, s[i]) == NULL))
			return false;
	}
	return true;
}

static bool
is_scheme(const char *s, size_t len)
{
	if (len == 0 || !isalpha((unsigned char)s[0]))
		return false;
	for (size_t i = 1; i < len; i++)
		if (!isalnum((unsigned char)s[i]) && strchr("+-.", s[i]) == NULL)
			return false;
	return true;
}

/* A name, or an IPv6 address (brackets are off already). */
static bool
is_host(const char *s, size_t len, bool bracketed)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr addr;

	if (bracketed) {
		if (len >= sizeof(text))
			return false;
		memcpy(text, s, len);
		text[len] = '\0';
		return inet_pton(AF_INET6, text, &addr) == 1;
	}
	for (size_t i = 0; i < len; i++)
		if (!is_unreserved(s[i]))
			return false;
	return len <= 255;
}

static int
parse_port(const char *s, size_t len)
{
	int port = 0;

	if (len == 0 || len > 5)
		return -1;
	for (size_t i = 0; i < len; i++) {
		if (s[i] < '0' || s[i] > '9')
			return -1;
		port = port * 10 + (s[i] - '0');
	}
	return port <= 65535 ? port : -1;
}

/* Split "host:port", "host" or "[v6]:port" of len bytes; port is NULL when there is none. */
static bool
split_host(const char *s, size_t len, struct parts *p)
{
	const char *colon = NULL, *close = NULL;
	bool bracketed = len > 0 && s[0] == '[';

	if (bracketed) {
		if ((close = memchr(s, ']', len)) == NULL)
			return false;
		p->host = s + 1;
		p->host_len = (size_t)(close - s) - 1;
		if (close + 1 < s + len && close[1] != ':')
			return false;
		colon = close + 1 < s + len ? close + 1 : NULL;
	} else {
		colon = memchr(s, ':', len);
		p->host = s;
		p->host_len = colon != NULL ? (size_t)(colon - s) : len;
	}
	if (colon != NULL) {
		p->port = colon + 1;
		p->port_len = (size_t)(s + len - p->port);
	}
	return is_host(p->host, p->host_len, bracketed);
}

static bool
split_url(const char *text, struct parts *p)
{
	const char *authority = strstr(text, "://"), *at = NULL;
	size_t len;

	if (authority == NULL || !is_scheme(text, (size_t)(authority - text)))
		return false;
	p->scheme = text;
	p->scheme_len = (size_t)(authority - text);
	authority += 3;
	len = strcspn(authority, "/?#");
	p->path = authority + len;
	p->path_len = strcspn(p->path, "#"); /* a fragment is never sent */
	if ((at = memrchr(authority, '@', len)) != NULL) {
		p->user = authority;
		p->user_len = (size_t)(at - authority);
		len -= p->user_len + 1;
		authority = at + 1;
	}
	return split_host(authority, len, p) && p->host_len > 0 &&
	    is_encoded(p->user, p->user_len, "!$&'()*+,;=:") &&
	    is_encoded(p->path, p->path_len, "!$&'()*+,;=:@/?");
}

static char *
dup_lower(const char *s, size_t len)
{
	char *copy = fl_xstrndup(s, len);

	for (char *c = copy; *c != '\0'; c++)
		*c = (char)tolower((unsigned char)*c);
	return copy;
}

static int
default_port(const char *scheme)
{
	static const struct {
		const char *scheme;
		int port;
	} defaults[] = { { "http", 80 }, { "https", 443 }, { "ws", 80 }, { "wss", 443 }, { "ssh", 22 }, { "git", 9418 } };

	for (size_t i = 0; i < fl_nitems(defaults); i++)
		if (strcmp(scheme, defaults[i].scheme) == 0)
			return defaults[i].port;
	return 0;
}

int
fl_url_parse(const char *text, struct fl_url *url, struct fl_err *err)
{
	struct parts p = { 0 };
	int port = 0;

	*url = (struct fl_url){ 0 };
	if (!split_url(text, &p))
		return fl_err_set(err, FL_ERR_INVALID, "\"%s\" is not a URL", text);
	if (p.port != NULL && p.port_len > 0 && (port = parse_port(p.port, p.port_len)) <= 0)
		return fl_err_set(err, FL_ERR_INVALID, "\"%s\" has a port that is none", text);
	url->scheme = dup_lower(p.scheme, p.scheme_len);
	url->user = p.user != NULL ? fl_xstrndup(p.user, p.user_len) : NULL;
	url->host = dup_lower(p.host, p.host_len);
	url->port = port > 0 ? port : default_port(url->scheme);
	url->path = fl_xasprintf("%s%.*s", p.path_len > 0 && *p.path == '/' ? "" : "/", (int)p.path_len, p.path);
	return 0;
}

void
fl_url_release(struct fl_url *url)
{
	free(url->scheme);
	free(url->user);
	free(url->host);
	free(url->path);
	*url = (struct fl_url){ 0 };
}

int
fl_url_hostport(const char *text, char **host, int *port, struct fl_err *err)
{
	struct parts p = { 0 };
	int n = -1;

	if (split_host(text, strlen(text), &p) && p.port != NULL)
		n = parse_port(p.port, p.port_len);
	if (n == -1)
		return fl_err_set(err, FL_ERR_INVALID, "\"%s\" is not host:port", text);
	*host = fl_xstrndup(p.host, p.host_len);
	*port = n;
	return 0;
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return (c | 0x20) - 'a' + 10;
}

char *
fl_url_decode(const char *text, size_t len, int form)
{
	char *decoded = fl_xmalloc(len + 1), *out = decoded;

	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (c == '%') {
			if (len - i < 3 || !is_hex_pair(text + i + 1))
				goto bad;
			c = (char)(hex_value(text[i + 1]) << 4 | hex_value(text[i + 2]));
			i += 2;
		} else if (c == '+' && form) {
			c = ' ';
		}
		if (c == '\0')
			goto bad;
		*out++ = c;
	}
	*out = '\0';
	return decoded;
bad:
	free(decoded);
	return NULL;
}

char *
fl_url_encode(const char *text)
{
	struct fl_buf b = { 0 };

	for (; *text != '\0'; text++) {
		if (is_unreserved(*text))
			fl_buf_addc(&b, *text);
		else
			fl_buf_addf(&b, "%%%02X", (unsigned)(unsigned char)*text);
	}
	return fl_buf_detach(&b);
}

void
fl_url_add_query(struct fl_buf *b, const char *name, const char *value)
{
	char *encoded;

	if (value == NULL)
		return;
	encoded = fl_url_encode(value);
	fl_buf_addf(b, "&%s=%s", name, encoded);
	free(encoded);
}

char *
fl_url_query(const char *query, const char *name)
{
	for (const char *p = query; *p != '\0'; p += *p == '&') {
		size_t len = strcspn(p, "&");
		size_t key_len = strcspn(p, "=&");
		const char *value = p + key_len + (key_len < len);
		char *key = fl_url_decode(p, key_len, 1);
		bool found = key != NULL && strcmp(key, name) == 0;

		free(key);
		if (found)
			return fl_url_decode(value, (size_t)(p + len - value), 1);
		p += len;
	}
	return NULL;
}
