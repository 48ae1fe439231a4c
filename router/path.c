#include "router/path.h"

#include <assert.h>
#include <string.h>

struct fl_span
path_of(const struct fl_http_head *h)
{
	static const struct fl_span root = { "/", 1 };
	struct fl_span path = h->target;
	const char *query;

	if (path.len > 0 && *path.p != '/' && *path.p != '*') {
		/* What is behind the authority of an absolute-form target. */
		path.p = h->host.p + h->host.len;
		path.len = (size_t)(h->target.p + h->target.len - path.p);
	}
	if ((query = memchr(path.p, '?', path.len)) != NULL)
		path.len = (size_t)(query - path.p);
	return path.len > 0 && *path.p == '/' ? path : root;
}

bool
path_is_plain(struct fl_span path)
{
	for (size_t i = 0; i < path.len; i++) {
		char c = path.p[i];

		if (c == '%' || c == '\\' || c == ';' || c == '\0')
			return false;
		if ((c == '/' || c == '.') && i > 0 && path.p[i - 1] == '/')
			return false;
	}
	return true;
}

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* In place. slashes: encoded ones too. */
static size_t
decode(char *p, size_t len, bool slashes)
{
	size_t out = 0;

	for (size_t i = 0; i < len; i++) {
		int high = p[i] == '%' && i + 2 < len ? hex(p[i + 1]) : -1, low = high >= 0 ? hex(p[i + 2]) : -1;
		char c = p[i];

		if (low >= 0)
			c = (char)(high << 4 | low);
		if (low >= 0 && (slashes || (c != '/' && c != '\\')))
			i += 2;
		else
			c = p[i];
		p[out++] = c;
	}
	return out;
}

/* "\" becomes "/", "//" one of them, a NUL ends it, ";x" is cut from each segment. */
static size_t
loosen(char *p, size_t len)
{
	size_t out = 0;
	bool is_cut = false;

	for (size_t i = 0; i < len && p[i] != '\0'; i++) {
		char c = p[i] == '\\' ? '/' : p[i];

		is_cut = c != '/' && (is_cut || c == ';');
		if (!is_cut && (c != '/' || out == 0 || p[out - 1] != '/'))
			p[out++] = c;
	}
	return out;
}

/* Resolve "." and ".." segments. */
static size_t
resolve(char *p, size_t len)
{
	size_t out = 0, end;

	for (size_t i = 0; i < len; i = end) {
		const char *segment = p + i + 1;
		size_t n;
		bool is_up, is_dropped;

		for (end = i + 1; end < len && p[end] != '/';)
			end++;
		n = end - i - 1;
		is_up = n == 2 && memcmp(segment, "..", 2) == 0;
		is_dropped = is_up || (n == 1 && *segment == '.');
		while (is_up && out > 0 && p[--out] != '/')
			;
		if (is_dropped && end < len)
			continue;
		p[out++] = '/';
		if (!is_dropped) {
			memmove(p + out, segment, n);
			out += n;
		}
	}
	return out;
}

size_t
path_read(char *out, struct fl_span path, enum path_reading reading)
{
	size_t len = path.len;
	bool is_loose;

	assert(len > 0 && *path.p == '/' && len <= PATH_MAX_READ);
	memcpy(out, path.p, len);
	is_loose = reading == PATH_LOOSE || reading == PATH_LOOSE_RESOLVED;
	len = decode(out, len, is_loose);
	if (is_loose)
		len = loosen(out, decode(out, len, true));
	return reading == PATH_RESOLVED || reading == PATH_LOOSE_RESOLVED ? resolve(out, len) : len;
}

bool
path_is_below(struct fl_span path, const char *prefix, size_t prefix_len)
{
	return path.len >= prefix_len && memcmp(path.p, prefix, prefix_len) == 0 &&
	    (prefix_len == 0 || path.len == prefix_len || path.p[prefix_len] == '/');
}

bool
path_is_routable(const char *path)
{
	size_t len = strlen(path);

	if (len < 2 || len > PATH_MAX_ROUTE || *path != '/' || path[len - 1] == '/')
		return false;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)path[i] <= ' ' || path[i] == 0x7f || strchr("?#\"<>", path[i]) != NULL)
			return false;
	for (const char *p = path; (p = strstr(p, "/.")) != NULL; p++)
		if (p[2] == '\0' || p[2] == '/' || (p[2] == '.' && (p[3] == '\0' || p[3] == '/')))
			return false;
	return strstr(path, "//") == NULL && strpbrk(path, "%\\;") == NULL;
}
