/*
 * router_api_fuzz - requests to the API: a head and a body of JSON, of a route or of a part of one that is to
 * replace the part of a route there is; and the queries of /requests. What is told of a route is JSON, and has
 * no private key.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/http_parse.h"
#include "libflynn/json.h"
#include "libflynn/url.h"
#include "libflynn/xmalloc.h"
#include "router/filter.h"
#include "router/path.h"
#include "router/route.h"
#include "router/table.h"
#include "test/fuzz/expect.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_reply(const struct route *r)
{
	struct fl_buf b = { 0 };
	struct fl_json *v;
	char *key = route_key(r);

	expect(strlen(key) <= TABLE_MAX_KEY && (r->path == NULL || path_is_routable(r->path)));
	route_write(r, &b, false);
	v = fl_json_parse(b.data, b.len, NULL);
	expect(v != NULL && memmem(b.data, b.len, "\"tls_key\":", 10) == NULL);
	fl_json_free(v);
	fl_buf_release(&b);
	free(key);
}

/* A route that is set, and one that is changed. */
static void
check_route(const char *body, size_t len)
{
	static const char stored[] = "{\"type\":\"http\",\"config\":{\"domain\":\"h.example.com\",\"service\":\"s\",\"path\":\"/a\","
				     "\"sticky\":true,\"tls_cert\":\"c\",\"tls_key\":\"k\"}}";
	struct fl_json *v = fl_json_parse(body, len, NULL), *old = fl_json_parse(stored, sizeof(stored) - 1, NULL);
	struct fl_err err = { 0 };
	struct route *r = NULL, *before = route_parse(old, NULL), *after = NULL;

	expect(before != NULL);
	if (v == NULL)
		goto out;
	r = route_parse(v, &err);
	expect((r == NULL) == (err.kind != FL_ERR_NONE));
	if (r != NULL && r->id == NULL)
		route_set_port(r, 3000);
	if (r != NULL)
		check_reply(r);
	err = (struct fl_err){ 0 };
	after = route_update(before, v, &err);
	expect((after == NULL) == (err.kind != FL_ERR_NONE));
	if (after != NULL) {
		check_reply(after);
		expect(strcmp(after->id, before->id) == 0);
	}
out:
	fl_json_free(v);
	fl_json_free(old);
	route_free(r);
	route_free(before);
	route_free(after);
}

static void
check_query(struct fl_span target)
{
	char *text = fl_xstrndup(target.p, target.len), *query = strchr(text, '?');
	char *host = NULL, *status = NULL, *slow = NULL;
	struct filter f = { 0 };
	struct fl_err err = { 0 };

	if (query != NULL) {
		host = fl_url_query(query + 1, "host");
		status = fl_url_query(query + 1, "status");
		slow = fl_url_query(query + 1, "slow");
		expect((filter_parse(&f, host, status, slow, &err) == -1) == (err.kind != FL_ERR_NONE));
		filter_release(&f);
	}
	free(host);
	free(status);
	free(slow);
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fl_http_head h;

	if (fl_http_parse_request((const char *)data, size, &h, NULL) != FL_HTTP_PARSE_DONE)
		return 0;
	check_query(h.target);
	check_route((const char *)data + h.head_len, size - h.head_len);
	return 0;
}
