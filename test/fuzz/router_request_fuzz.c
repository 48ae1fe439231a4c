/*
 * router_request_fuzz - what is made of a request before it goes to an instance: the readings of its
 * path, its route, its cookie, and the page it gets when there is none.
 */
#include <openssl/evp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "libflynn/attr.h"
#include "libflynn/http_parse.h"
#include "libflynn/json.h"
#include "libflynn/xmalloc.h"
#include "router/block.h"
#include "router/forwarded.h"
#include "router/page.h"
#include "router/path.h"
#include "router/sticky.h"
#include "router/table.h"
#include "test/fuzz/expect.h"

#define NOW_S INT64_C(1800000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct {
	const char *host, *path;
} routes[] = {
	{ "h", NULL },
	{ "h", "/a" },
	{ "h", "/a/b" },
	{ "h.example.com", "/api" },
	{ "*.example.com", NULL },
	{ "*.example.com", "/api/v1" },
	{ "*.b.example.com", "/x" },
};

static struct table *table;
static EVP_MAC_CTX *mac;

static void
set_up(void)
{
	unsigned char key[STICKY_KEY_LEN];

	table = table_new(fl_nitems(routes), 1);
	for (size_t i = 0; i < fl_nitems(routes); i++)
		table_add(table, target_new(&(struct target_spec){ .key = routes[i].host, .path = routes[i].path, .sticky = true }));
	sticky_derive_key(key, "cluster key");
	mac = sticky_mac_new(key);
}

/* Whether the path has a segment of that name. */
static int
has_segment(const char *path, size_t len, const char *name)
{
	size_t n = strlen(name);

	for (size_t at = 0; at + 1 + n <= len; at++)
		if (path[at] == '/' && memcmp(path + at + 1, name, n) == 0 && (at + 1 + n == len || path[at + 1 + n] == '/'))
			return 1;
	return 0;
}

/* What is resolved has no dots left, and a plain path is all of its readings. */
static void
check_path(struct fl_span path)
{
	char *copy = fl_xmemdup(path.p, path.len), *out = fl_xmalloc(path.len);
	bool is_plain = path_is_plain(path);

	expect(path.len > 0 && *path.p == '/');
	for (int reading = 0; reading < PATH_READINGS; reading++) {
		size_t n = path_read(out, (struct fl_span){ copy, path.len }, (enum path_reading)reading);

		expect(n > 0 && n <= path.len && *out == '/');
		expect(!is_plain || (n == path.len && memcmp(out, path.p, n) == 0));
		if (reading == PATH_RESOLVED || reading == PATH_LOOSE_RESOLVED)
			expect(!has_segment(out, n, ".") && !has_segment(out, n, ".."));
	}
	free(copy);
	free(out);
}

/* What we give a client, it can bring back. */
static void
check_cookie(const struct target *t, const struct fl_http_head *h)
{
	struct sticky *s = sticky_read(mac, t, h, h->minor == 1, NOW_S), *again;
	char value[STICKY_VALUE_MAX + 1], request[STICKY_VALUE_MAX + 100];
	struct fl_http_head back;
	size_t n;

	expect(s != NULL && s->instance == 0);
	n = sticky_write(mac, s, 42, NOW_S, value);
	expect(n > 0 && n <= STICKY_VALUE_MAX);
	value[n] = '\0';
	n = (size_t)snprintf(request, sizeof(request), "GET / HTTP/1.1\r\nHost: h\r\nCookie: a=b; %.*s\r\n\r\n", (int)strcspn(value, ";"), value);
	expect(fl_http_parse_request(request, n, &back, NULL) == FL_HTTP_PARSE_DONE);
	again = sticky_read(mac, t, &back, h->minor == 1, NOW_S + 1);
	expect(again->instance == 42 && again->is_young);
	free(s);
	free(again);
}

/* The page that says so is an answer whose length is true, whatever it repeats. */
static void
check_page(const struct fl_http_head *h, const char *why, bool is_json)
{
	struct block_pool pool = { 0 };
	struct page page = { .status = 404, .why = why, .is_json = is_json, .keep_alive = h->keep_alive, .client_minor = h->minor };
	struct block *b = page_write(&pool, &page);
	struct fl_http_head out;
	struct fl_json *v;

	expect(fl_http_parse_response(block_bytes(b), b->len, &out, NULL) == FL_HTTP_PARSE_DONE);
	expect(out.head_len + (size_t)out.content_length == b->len && out.keep_alive == h->keep_alive);
	if (is_json) {
		v = fl_json_parse(block_bytes(b) + out.head_len, b->len - out.head_len, NULL);
		expect(v != NULL);
		fl_json_free(v);
	}
	block_free(&pool, b);
	block_pool_release(&pool);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fl_http_head h;
	char host[TABLE_MAX_KEY + 1], why[TABLE_MAX_KEY + 64];
	const struct target *t = NULL;
	bool is_ambiguous = false;
	size_t len;

	if (table == NULL)
		set_up();
	if (fl_http_parse_request((const char *)data, size, &h, NULL) != FL_HTTP_PARSE_DONE || fl_span_eq(h.method, "CONNECT"))
		return 0;
	check_path(path_of(&h));
	len = table_normalise_host(h.host.p, h.host.len, host);
	expect(len <= TABLE_MAX_KEY && (len == 0 || strlen(host) == len));
	if (len > 0)
		t = table_find_route(table, host, len, path_of(&h), &is_ambiguous);
	expect(t == NULL || !is_ambiguous);
	for (int trust = FORWARDED_APPEND; trust <= FORWARDED_KEEP; trust++)
		forwarded_is_https(&h, size % 2 == 0, (enum forwarded_trust)trust);
	if (t != NULL) {
		check_cookie(t, &h);
		return 0;
	}
	snprintf(why, sizeof(why), "no route leads from %s to an app", len > 0 ? host : "");
	check_page(&h, why, size % 2 == 0);
	return 0;
}
