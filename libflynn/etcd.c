/*
 * etcd - requests to etcd's JSON gateway, each with a token that is renewed when etcd has forgotten it.
 */
#include "libflynn/etcd.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/etcd_internal.h"
#include "libflynn/http_client.h"
#include "libflynn/json.h"
#include "libflynn/xmalloc.h"

#define TIMEOUT_MS 3000
#define CONNECT_TIMEOUT_MS 2000
#define STREAM_SILENCE_MS (15 * 60 * 1000) /* etcd reports progress every ten minutes */
#define MAX_TOKEN_TRIES 3
#define GRPC_MAX_BODY ((size_t)128 << 20) /* a full read: routes bring their certificates with them */
#define GRPC_PREFIX 5 /* bytes before a message: compressed or not, its length */

struct etcd_op {
	TAILQ_ENTRY(etcd_op) link;
	struct fl_etcd *e;
	struct fl_http_call *call; /* NULL: waits for a token */
	char *path;
	struct fl_buf body;
	const char *grpc_method; /* NULL: is not asked by gRPC, or not any more */
	struct fl_buf grpc;
	void (*on_grpc)(const char *data, size_t len, void *arg);
	size_t members_left;
	int token_tries;
	int (*on_data)(const char *data, size_t len, void *arg);
	etcd_op_cb cb;
	void (*drop)(void *arg); /* frees arg when cb will not be called; may be NULL */
	void *arg;
};

static void
split_urls(struct fl_etcd *e, const char *urls)
{
	const char *p = urls != NULL && *urls != '\0' ? urls : "http://127.0.0.1:2379";

	for (;;) {
		size_t len = strcspn(p, ",");

		while (len > 0 && p[len - 1] == '/')
			len--;
		if (len > 0) {
			e->urls = fl_xreallocarray(e->urls, e->n_urls + 1, sizeof(*e->urls));
			e->urls[e->n_urls++] = fl_xstrndup(p, len);
		}
		p += strcspn(p, ",");
		if (*p++ == '\0')
			return;
	}
}

struct fl_etcd *
fl_etcd_new(struct event_base *base, const char *urls, const char *key)
{
	struct fl_etcd *e = fl_xcalloc(1, sizeof(*e));

	e->base = base;
	e->http = fl_http_client_new(base, NULL);
	e->key = fl_xstrdup_null(key);
	TAILQ_INIT(&e->waiting);
	TAILQ_INIT(&e->sent);
	split_urls(e, urls);
	return e;
}

static void
op_free(struct etcd_op *op)
{
	fl_buf_release(&op->body);
	fl_buf_release(&op->grpc);
	free(op->path);
	free(op);
}

static void
op_unlink(struct etcd_op *op)
{
	if (op->call != NULL)
		TAILQ_REMOVE(&op->e->sent, op, link);
	else
		TAILQ_REMOVE(&op->e->waiting, op, link);
}

void
etcd_op_cancel(struct etcd_op *op)
{
	if (op == NULL)
		return;
	op_unlink(op);
	fl_http_call_cancel(op->call);
	if (op->drop != NULL)
		op->drop(op->arg);
	op_free(op);
}

static void
etcd_release(struct fl_etcd *e)
{
	struct etcd_op *op, *next;

	TAILQ_FOREACH_SAFE(op, &e->waiting, link, next)
		etcd_op_cancel(op);
	TAILQ_FOREACH_SAFE(op, &e->sent, link, next)
		etcd_op_cancel(op);
	fl_http_client_free(e->http);
	for (size_t i = 0; i < e->n_urls; i++)
		free(e->urls[i]);
	free(e->urls);
	free(e->key);
	free(e->token);
	free(e);
}

void
fl_etcd_free(struct fl_etcd *e)
{
	if (e == NULL)
		return;
	if (e->in_cb)
		e->freed = true; /* etcd_auth_done() is on the stack and frees it */
	else
		etcd_release(e);
}

void
etcd_next_url(struct fl_etcd *e)
{
	e->at = (e->at + 1) % e->n_urls;
}

static void
op_end(struct etcd_op *op, const struct fl_json *json, const struct fl_err *err)
{
	op_unlink(op);
	op->cb(json, err, op->arg);
	op_free(op);
}

void
etcd_err(int status, const char *message, struct fl_err *err)
{
	/* By the sentence: the gateway's codes tell less than it does. */
	static const struct {
		const char *text;
		enum fl_err_kind kind;
	} kinds[] = {
		{ "lease not found", FL_ERR_NOT_FOUND },
		{ "key not found", FL_ERR_NOT_FOUND },
		{ "permission denied", FL_ERR_DENIED },
		{ "invalid user ID or password", FL_ERR_DENIED },
		{ "no space", FL_ERR_NO_SPACE },
		{ "too large", FL_ERR_TOO_BIG },
		{ "no leader", FL_ERR_UNAVAILABLE },
		{ "timed out", FL_ERR_UNAVAILABLE },
		{ "leader changed", FL_ERR_UNAVAILABLE },
		{ "stopped", FL_ERR_UNAVAILABLE },
	};
	enum fl_err_kind kind = status >= 500 ? FL_ERR_UNAVAILABLE : FL_ERR_SYSTEM;

	for (size_t i = 0; i < fl_nitems(kinds); i++)
		if (strstr(message, kinds[i].text) != NULL) {
			kind = kinds[i].kind;
			break;
		}
	if (*message != '\0')
		fl_err_set(err, kind, "etcd: %s", message);
	else
		fl_err_set(err, kind, "etcd: status %d", status);
}

static bool
token_is_stale(int status, const char *message)
{
	return status == 401 || strstr(message, "invalid auth token") != NULL ||
	    strstr(message, "user name is empty") != NULL || strstr(message, "auth store is old") != NULL;
}

static void op_send(struct etcd_op *op);

/* Put it with those that wait, and see to it that a token comes. */
static void
op_wait_for_token(struct etcd_op *op)
{
	op->call = NULL;
	TAILQ_INSERT_TAIL(&op->e->waiting, op, link);
	if (op->e->auth_call == NULL)
		etcd_auth_start(op->e);
}

/* No answer. Returns whether another member is asked instead. */
static bool
op_try_next(struct etcd_op *op)
{
	etcd_next_url(op->e);
	if (op->members_left == 0)
		return false;
	op->members_left--;
	TAILQ_REMOVE(&op->e->sent, op, link);
	op_send(op);
	return true;
}

/* A message whole and alone, behind five bytes that say so; anything else is no answer. */
static void
on_grpc_answer(const struct fl_http_result *res, const struct fl_err *err, void *arg)
{
	struct etcd_op *op = arg;
	const unsigned char *b = err == NULL ? (const unsigned char *)res->body : NULL;
	size_t len = err == NULL && res->status == 200 && res->len >= GRPC_PREFIX
	    ? (size_t)b[1] << 24 | (size_t)b[2] << 16 | (size_t)b[3] << 8 | b[4]
	    : 0;

	if (len == 0 || b[0] != 0 || res->len != GRPC_PREFIX + len) {
		op->grpc_method = NULL;
		TAILQ_REMOVE(&op->e->sent, op, link);
		op_send(op);
		return;
	}
	op_unlink(op);
	op->on_grpc(res->body + GRPC_PREFIX, len, op->arg);
	op_free(op);
}

static void
op_send_grpc(struct etcd_op *op)
{
	struct fl_etcd *e = op->e;
	char *url = fl_xasprintf("%s%s", e->urls[e->at], op->grpc_method), *token = NULL;
	const char *headers[] = { "TE: trailers", NULL, NULL };
	struct fl_http_call_opts opts = {
		.method = "POST",
		.url = url,
		.headers = headers,
		.content_type = "application/grpc",
		.http2 = true,
		.body = op->grpc.data,
		.body_len = op->grpc.len,
		.timeout_ms = TIMEOUT_MS,
		.connect_timeout_ms = CONNECT_TIMEOUT_MS,
		.max_body = GRPC_MAX_BODY,
	};

	if (e->token != NULL)
		headers[1] = token = fl_xasprintf("token: %s", e->token);
	op->call = fl_http_client_start(e->http, &opts, on_grpc_answer, op);
	TAILQ_INSERT_TAIL(&e->sent, op, link);
	free(url);
	free(token);
}

static void
on_answer(const struct fl_http_result *res, const struct fl_err *err, void *arg)
{
	struct etcd_op *op = arg;
	struct fl_etcd *e = op->e;
	struct fl_err why = { 0 };
	struct fl_json *json = NULL;
	const char *message;

	if (err != NULL) {
		/* Its tokens are gone with a member; and one that lost its data keeps an older token waiting. */
		free(e->token);
		e->token = NULL;
		if (op_try_next(op))
			return;
		why = *err;
		if (why.kind == FL_ERR_TIMEOUT)
			why.kind = FL_ERR_UNAVAILABLE;
		op_end(op, NULL, &why);
		return;
	}
	json = fl_json_parse(res->len > 0 ? res->body : "{}", res->len > 0 ? res->len : 2, &why);
	message = fl_json_str(fl_json_get(json, "message"), fl_json_text(json, "error"));
	if (e->key != NULL && res->status / 100 != 2 && token_is_stale(res->status, message) &&
	    op->token_tries++ < MAX_TOKEN_TRIES) {
		free(e->token);
		e->token = NULL;
		TAILQ_REMOVE(&e->sent, op, link);
		op_wait_for_token(op);
	} else if (res->status / 100 != 2) {
		etcd_err(res->status, message, &why);
		op_end(op, NULL, &why);
	} else {
		op_end(op, json, json == NULL ? &why : NULL);
	}
	fl_json_free(json);
}

static int
on_piece(const char *data, size_t len, void *arg)
{
	struct etcd_op *op = arg;

	return op->on_data(data, len, op->arg);
}

static void
op_send(struct etcd_op *op)
{
	struct fl_etcd *e = op->e;
	char *url = fl_xasprintf("%s%s", e->urls[e->at], op->path), *auth = NULL;
	const char *headers[] = { NULL, NULL, NULL };
	bool stream = op->on_data != NULL;
	size_t n_headers = 0;
	struct fl_http_call_opts opts = {
		.method = "POST",
		.url = url,
		.headers = headers,
		.body = op->body.data,
		.body_len = op->body.len,
		.timeout_ms = stream ? -1 : TIMEOUT_MS,
		.connect_timeout_ms = CONNECT_TIMEOUT_MS,
		.idle_timeout_ms = stream ? STREAM_SILENCE_MS : 0,
		.on_data = stream ? on_piece : NULL,
	};

	/* A member that is cut off from the others has nothing to tell, for ever: etcd's WithRequireLeader. */
	if (stream)
		headers[n_headers++] = "Grpc-Metadata-hasleader: true";
	if (e->token != NULL)
		headers[n_headers] = auth = fl_xasprintf("Authorization: %s", e->token);
	op->call = fl_http_client_start(e->http, &opts, on_answer, op);
	TAILQ_INSERT_TAIL(&e->sent, op, link);
	free(url);
	free(auth);
}

static void
op_send_first(struct etcd_op *op)
{
	if (op->grpc_method != NULL)
		op_send_grpc(op);
	else
		op_send(op);
}

static void
op_begin(struct etcd_op *op)
{
	if (op->e->key != NULL && op->e->token == NULL)
		op_wait_for_token(op);
	else
		op_send_first(op);
}

static struct etcd_op *
op_new(struct fl_etcd *e, const char *path, struct fl_buf *body, etcd_op_cb cb, void *arg)
{
	struct etcd_op *op = fl_xcalloc(1, sizeof(*op));

	*op = (struct etcd_op){ .e = e, .path = fl_xstrdup(path), .body = *body, .cb = cb, .arg = arg };
	*body = (struct fl_buf){ 0 };
	return op;
}

struct etcd_op *
etcd_op_start(struct fl_etcd *e, const char *path, struct fl_buf *body, bool again, etcd_op_cb cb,
    void (*drop)(void *arg), void *arg)
{
	struct etcd_op *op = op_new(e, path, body, cb, arg);

	op->drop = drop;
	op->members_left = again ? e->n_urls - 1 : 0;
	op_begin(op);
	return op;
}

struct etcd_op *
etcd_grpc_start(struct fl_etcd *e, const char *method, struct fl_buf *message, const char *path, struct fl_buf *body,
    void (*on_grpc)(const char *data, size_t len, void *arg), etcd_op_cb cb, void *arg)
{
	struct etcd_op *op = op_new(e, path, body, cb, arg);
	size_t len = message->len;
	const char prefix[GRPC_PREFIX] = { 0, (char)(len >> 24), (char)(len >> 16), (char)(len >> 8), (char)len };

	fl_buf_add(&op->grpc, prefix, sizeof(prefix));
	fl_buf_add(&op->grpc, message->data, len);
	fl_buf_release(message);
	op->grpc_method = method;
	op->on_grpc = on_grpc;
	op->members_left = e->n_urls - 1;
	op_begin(op);
	return op;
}

struct etcd_op *
etcd_stream_start(struct fl_etcd *e, const char *path, struct fl_buf *body,
    int (*on_data)(const char *data, size_t len, void *arg), etcd_op_cb cb, void *arg)
{
	struct etcd_op *op = op_new(e, path, body, cb, arg);

	op->on_data = on_data;
	op_begin(op);
	return op;
}

void
etcd_auth_done(struct fl_etcd *e, const struct fl_err *err)
{
	TAILQ_HEAD(, etcd_op) ready = TAILQ_HEAD_INITIALIZER(ready);
	struct etcd_op *op;
	size_t n = 0;

	if (err == NULL) {
		TAILQ_CONCAT(&ready, &e->waiting, link);
		while ((op = TAILQ_FIRST(&ready)) != NULL) {
			TAILQ_REMOVE(&ready, op, link);
			op_send_first(op);
		}
		return;
	}
	TAILQ_FOREACH(op, &e->waiting, link)
		n++;
	e->in_cb = true; /* what the callbacks start anew waits for the next token */
	for (; n > 0 && !e->freed && (op = TAILQ_FIRST(&e->waiting)) != NULL; n--)
		op_end(op, NULL, err);
	e->in_cb = false;
	if (e->freed)
		etcd_release(e);
}

int64_t
etcd_int(const struct fl_json *v)
{
	const char *s = fl_json_str(v, NULL);

	return s != NULL ? strtoll(s, NULL, 10) : fl_json_int(v, 0);
}
