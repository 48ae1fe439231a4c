/*
 * http_server_req - a request as its handler sees it: words of the head, parameters, the body.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "libflynn/attr.h"
#include "libflynn/clock.h"
#include "libflynn/err.h"
#include "libflynn/http_server_internal.h"
#include "libflynn/json.h"
#include "libflynn/map.h"
#include "libflynn/url.h"
#include "libflynn/uuid.h"
#include "libflynn/xmalloc.h"

struct fl_http_req *
http_req_new(struct http_conn *c)
{
	struct fl_http_req *req = fl_xcalloc(1, sizeof(*req));
	bool v4 = IN6_IS_ADDR_V4MAPPED(&c->peer);

	req->http = c->http;
	req->conn = c;
	req->base = c->http->base;
	req->method = "";
	req->path = fl_xstrdup("");
	req->started_us = fl_clock_us();
	fl_uuid_new(req->id);
	inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? &c->peer.s6_addr[12] : c->peer.s6_addr, req->peer, sizeof(req->peer));
	TAILQ_INSERT_TAIL(&c->http->reqs, req, link);
	return req;
}

void
http_req_end_body(struct fl_http_req *req, const struct fl_err *err)
{
	void (*on_end)(struct fl_http_req *, const struct fl_err *, void *) = req->on_end;

	req->on_data = NULL;
	req->on_end = NULL;
	if (on_end != NULL)
		on_end(req, err, req->body_arg);
}

static void
free_params(struct fl_http_req *req)
{
	for (size_t i = 0; i < req->n_params; i++)
		free(req->params[i].value);
	req->n_params = 0;
}

void
http_req_free(struct fl_http_req *req)
{
	struct fl_http *h = req->http;

	if (h != NULL)
		TAILQ_REMOVE(&h->reqs, req, link);
	free_params(req);
	for (size_t i = 0; i < req->n_values; i++)
		free(req->values[i]);
	free(req->values);
	fl_json_free(req->json);
	fl_buf_release(&req->body);
	fl_buf_release(&req->extra);
	if (req->late != NULL)
		event_free(req->late);
	free(req->headers);
	free(req->head);
	free(req->path);
	free(req->raw_path);
	free(req->query);
	free(req);
	if (h != NULL)
		http_check_drained(h);
}

/* Cut the copy of the head into strings: behind a name is a colon, behind a value white space or the line's end. */
static void
cut_headers(struct fl_http_req *req, const struct fl_http_head *head, const char *data)
{
	req->head = fl_xmemdup(data, head->head_len);
	req->headers = fl_xcalloc(head->n_headers, sizeof(*req->headers));
	req->n_headers = head->n_headers;
	for (size_t i = 0; i < head->n_headers; i++) {
		const struct fl_http_header *h = &head->headers[i];

		req->headers[i].name = req->head + (h->name.p - data);
		req->head[h->name.p - data + h->name.len] = '\0';
		req->headers[i].value = "";
		if (h->value.len == 0)
			continue;
		req->headers[i].value = req->head + (h->value.p - data);
		req->head[h->value.p - data + h->value.len] = '\0';
	}
	req->method = req->head + (head->method.p - data);
	req->head[head->method.p - data + head->method.len] = '\0';
}

/* "/path?query" or "http://host/path?query" (RFC 9112, 3.2). */
static int
parse_target(struct fl_http_req *req, struct fl_span target, struct fl_err *err)
{
	static const char scheme[] = "http://";
	const char *p = target.p, *end = target.p + target.len, *question;

	if (target.len > sizeof(scheme) - 1 && strncasecmp(p, scheme, sizeof(scheme) - 1) == 0) {
		p = memchr(p + sizeof(scheme) - 1, '/', target.len - (sizeof(scheme) - 1));
		if (p == NULL)
			return fl_err_set(err, FL_ERR_INVALID, "the request's target has no path");
	}
	if (*p != '/')
		return fl_err_set(err, FL_ERR_INVALID, "the request's target is no path");
	question = memchr(p, '?', (size_t)(end - p));
	if (question != NULL) {
		req->query = fl_xstrndup(question + 1, (size_t)(end - question - 1));
		end = question;
	}
	req->raw_path = fl_xstrndup(p, (size_t)(end - p));
	free(req->path);
	req->path = fl_url_decode(p, (size_t)(end - p), 0);
	if (req->path != NULL)
		return 0;
	req->path = fl_xstrdup("");
	return fl_err_set(err, FL_ERR_INVALID, "the request's path is not well encoded");
}

/* The client's id goes into our log and the answer's head, so only plain ones are taken. */
static void
take_id(struct fl_http_req *req)
{
	const char *id = fl_http_header(req, "X-Request-Id");
	size_t len = id != NULL ? strlen(id) : 0;

	if (len == 0 || len > HTTP_ID_MAX)
		return;
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)id[i]) && strchr("-_.", id[i]) == NULL)
			return;
	memcpy(req->id, id, len + 1);
}

int
http_req_parse(struct fl_http_req *req, const struct fl_http_head *head, const char *data, struct fl_err *err)
{
	req->http_1_0 = head->minor == 0;
	req->keep_alive = head->keep_alive;
	req->expects_continue = head->expect_continue && head->minor == 1;
	cut_headers(req, head, data);
	req->is_head = strcmp(req->method, "HEAD") == 0;
	take_id(req);
	return parse_target(req, head->target, err);
}

static struct fl_span
next_segment(const char **p)
{
	const char *start = *p + 1;
	size_t len = strcspn(start, "/");

	*p = start + len;
	return (struct fl_span){ start, len };
}

static bool
add_param(struct fl_http_req *req, struct fl_span name, struct fl_span raw)
{
	char *value = fl_url_decode(raw.p, raw.len, 0);

	if (value == NULL || req->n_params == HTTP_MAX_PARAMS) {
		free(value);
		return false;
	}
	req->params[req->n_params++] = (struct http_param){ name, value };
	return true;
}

static bool
match(struct fl_http_req *req, const char *pattern)
{
	const char *path = req->raw_path;

	while (*pattern == '/' && *path == '/') {
		struct fl_span want = next_segment(&pattern), have;

		if (fl_span_eq(want, "*"))
			return add_param(req, want, (struct fl_span){ path + 1, strlen(path + 1) });
		have = next_segment(&path);
		if (want.len > 0 && want.p[0] == ':') {
			if (have.len == 0 || !add_param(req, (struct fl_span){ want.p + 1, want.len - 1 }, have))
				return false;
		} else if (want.len != have.len || memcmp(want.p, have.p, want.len) != 0) {
			return false;
		}
	}
	return *pattern == '\0' && (*path == '\0' || strcmp(path, "/") == 0); /* a trailing slash says nothing */
}

bool
http_req_match(struct fl_http_req *req, const char *pattern)
{
	free_params(req);
	return match(req, pattern);
}

const char *
fl_http_method(const struct fl_http_req *req)
{
	return req->method;
}

const char *
fl_http_path(const struct fl_http_req *req)
{
	return req->path;
}

const char *
fl_http_param(const struct fl_http_req *req, const char *name)
{
	for (size_t i = 0; i < req->n_params; i++)
		if (fl_span_eq(req->params[i].name, name))
			return req->params[i].value;
	return NULL;
}

const char *
fl_http_query(struct fl_http_req *req, const char *name)
{
	char *value = req->query != NULL ? fl_url_query(req->query, name) : NULL;

	if (value == NULL)
		return NULL;
	req->values = fl_xreallocarray(req->values, req->n_values + 1, sizeof(*req->values));
	req->values[req->n_values++] = value;
	return value;
}

const char *
fl_http_header(const struct fl_http_req *req, const char *name)
{
	for (size_t i = 0; i < req->n_headers; i++)
		if (strcasecmp(req->headers[i].name, name) == 0)
			return req->headers[i].value;
	return NULL;
}

const char *
fl_http_peer(const struct fl_http_req *req)
{
	return req->peer;
}

bool
fl_http_accepts(const struct fl_http_req *req, const char *media_type)
{
	for (size_t i = 0; i < req->n_headers; i++)
		if (strcasecmp(req->headers[i].name, "Accept") == 0 &&
		    strcasestr(req->headers[i].value, media_type) != NULL)
			return true;
	return false;
}

const char *
fl_http_body(const struct fl_http_req *req, size_t *len)
{
	if (len != NULL)
		*len = req->body.len;
	return fl_buf_cstr(&req->body);
}

const struct fl_json *
fl_http_json(struct fl_http_req *req, struct fl_err *err)
{
	struct fl_err why = { 0 };

	if (req->json == NULL)
		req->json = fl_json_parse(fl_buf_cstr(&req->body), req->body.len, &why);
	if (req->json == NULL)
		fl_err_set(err, why.kind, "the body is not valid JSON: %s", why.msg);
	return req->json;
}

bool
fl_http_gone(const struct fl_http_req *req)
{
	return req->conn == NULL || req->conn->state == HTTP_CONN_DEAD;
}

void
fl_http_on_close(struct fl_http_req *req, void (*cb)(struct fl_http_req *req, void *arg), void *arg)
{
	req->on_close = cb;
	req->close_arg = arg;
}

/* The client went before the handler asked for the body. */
static void
on_late_body(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct fl_http_req *req = arg;
	struct fl_err err = { 0 };

	fl_err_set(&err, FL_ERR_UNAVAILABLE, "the client has gone");
	http_req_end_body(req, &err);
}

void
fl_http_body_read(struct fl_http_req *req,
    void (*on_data)(struct fl_http_req *req, const char *data, size_t len, void *arg),
    void (*on_end)(struct fl_http_req *req, const struct fl_err *err, void *arg), void *arg)
{
	req->on_data = on_data;
	req->on_end = on_end;
	req->body_arg = arg;
	if (req->conn == NULL) {
		if (req->late == NULL)
			req->late = event_new(req->base, -1, 0, on_late_body, req);
		event_active(req->late, EV_TIMEOUT, 1);
		return;
	}
	http_conn_invite_body(req->conn);
	http_conn_resume(req->conn);
}

int64_t
fl_http_body_length(const struct fl_http_req *req)
{
	return req->conn != NULL ? req->conn->body.length : -1;
}
