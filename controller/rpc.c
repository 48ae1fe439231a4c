#include "controller/rpc.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "controller/controller.h"
#include "controller/formation_events.h"
#include "controller/formation_gob.h"
#include "controller/rpc_codec.h"
#include "controller/subscriber.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/http_server.h"
#include "libflynn/list.h"
#include "libflynn/log.h"
#include "libflynn/xmalloc.h"

#define SERVICE "Controller"
#define STREAM_FORMATIONS SERVICE ".StreamFormations"
#define END_OF_STREAM "EOS"

/* At once, of one connection. */
#define MAX_CALLS 16
/* Waiting for him to read: less, and streams go on; more, and no request is taken. */
#define ROOM ((size_t)64 << 10)
#define FULL ((size_t)256 << 10)

struct call {
	LIST_ENTRY(call) link;
	struct rpc *rpc;
	struct rpc_request req;
	struct subscriber *reader;
};

struct rpc {
	LIST_ENTRY(rpc) link;
	struct controller *c;
	struct bufferevent *bev;
	struct event *end; /* closes it, from the loop */
	struct rpc_codec codec;
	LIST_HEAD(, call) calls;
	size_t n_calls;
	bool closed;
	char *peer;
};

static void
call_free(struct call *call)
{
	LIST_REMOVE(call, link);
	call->rpc->n_calls--;
	rpc_request_release(&call->req);
	free(call);
}

static void
rpc_free(struct rpc *rpc)
{
	struct call *call, *next;

	LIST_FOREACH_SAFE(call, &rpc->calls, link, next) {
		subscriber_leave(call->reader);
		call_free(call);
	}
	LIST_REMOVE(rpc, link);
	event_free(rpc->end);
	bufferevent_free(rpc->bev);
	rpc_codec_release(&rpc->codec);
	free(rpc->peer);
	free(rpc);
}

void
rpc_free_all(struct controller *c)
{
	struct rpc *rpc, *next;

	LIST_FOREACH_SAFE(rpc, &c->rpcs, link, next)
		rpc_free(rpc);
}

static void
on_end(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	rpc_free(arg);
}

static void
rpc_close(struct rpc *rpc, const char *why)
{
	if (rpc->closed)
		return;
	rpc->closed = true;
	fl_log_debug("rpc connection has ended", fl_str("peer", rpc->peer), fl_str("why", why));
	bufferevent_disable(rpc->bev, EV_READ | EV_WRITE);
	event_active(rpc->end, EV_TIMEOUT, 1);
}

static size_t
pending(const struct rpc *rpc)
{
	return evbuffer_get_length(bufferevent_get_output(rpc->bev));
}

static void
reply(struct rpc *rpc, const struct rpc_request *req, const char *result, const char *error)
{
	struct fl_buf b = { 0 };

	if (rpc->closed)
		return;
	rpc_codec_write(&rpc->codec, &b, req, &formation_gob, result, error);
	bufferevent_write(rpc->bev, b.data, b.len);
	fl_buf_release(&b);
}

/* ---- a stream ---- */

static bool
has_room(void *arg)
{
	const struct call *call = arg;

	return pending(call->rpc) <= ROOM;
}

static void
send_formation(const char *formation, void *arg)
{
	const struct call *call = arg;

	reply(call->rpc, &call->req, formation, NULL);
}

static void
end_stream(const struct fl_err *err, void *arg)
{
	struct call *call = arg;

	reply(call->rpc, &call->req, NULL, err != NULL ? err->msg : END_OF_STREAM);
	call_free(call);
}

/* Takes req. */
static void
start_stream(struct rpc *rpc, struct rpc_request *req)
{
	static const struct subscriber_sink sink = { has_room, send_formation, end_stream };
	struct call *call = fl_xcalloc(1, sizeof(*call));

	call->rpc = rpc;
	call->req = *req;
	*req = (struct rpc_request){ 0 };
	LIST_INSERT_HEAD(&rpc->calls, call, link);
	rpc->n_calls++;
	call->reader = formation_events_follow(rpc->c->formation_events, call->req.time_us, &sink, call);
}

/* The original says nothing of one that is not there. */
static void
close_stream(struct rpc *rpc, uint64_t seq)
{
	struct call *call;

	LIST_FOREACH(call, &rpc->calls, link)
		if (call->req.seq == seq) {
			subscriber_leave(call->reader);
			end_stream(NULL, call);
			return;
		}
}

/* ---- requests ---- */

static void
refuse(struct rpc *rpc, const struct rpc_request *req, const char *why, const char *what)
{
	char *text = fl_xasprintf("rpc: %s%.200s", why, what);

	reply(rpc, req, NULL, text);
	free(text);
}

/* May take req. */
static void
serve(struct rpc *rpc, struct rpc_request *req)
{
	const char *dot = strchr(req->method, '.');

	if (strcmp(req->method, "CloseStream") == 0)
		close_stream(rpc, req->seq);
	else if (dot == NULL || strchr(dot + 1, '.') != NULL)
		refuse(rpc, req, "service/method request ill-formed: ", req->method);
	else if (strncmp(req->method, SERVICE ".", sizeof(SERVICE)) != 0)
		refuse(rpc, req, "can't find service ", req->method);
	else if (strcmp(req->method, STREAM_FORMATIONS) != 0)
		refuse(rpc, req, "can't find method ", req->method);
	else if (!req->has_time)
		refuse(rpc, req, "the argument has to be a time: ", req->method);
	else if (rpc->n_calls == MAX_CALLS)
		refuse(rpc, req, "too many streams are open on the connection, close one: ", req->method);
	else
		start_stream(rpc, req);
}

static void
on_read(FL_UNUSED struct bufferevent *bev, void *arg)
{
	struct rpc *rpc = arg;
	struct evbuffer *in = bufferevent_get_input(rpc->bev);
	struct rpc_request req = { 0 };
	struct fl_err err = { 0 };
	size_t len, used;
	int rc = 1;

	while (rc == 1 && !rpc->closed && pending(rpc) < FULL && (len = evbuffer_get_length(in)) > 0) {
		rc = rpc_codec_read(&rpc->codec, (const char *)evbuffer_pullup(in, -1), len, &used, &req, &err);
		evbuffer_drain(in, used);
		if (rc == 1)
			serve(rpc, &req);
		rpc_request_release(&req);
	}
	if (rc == -1)
		rpc_close(rpc, err.msg);
}

static void
on_written(struct bufferevent *bev, void *arg)
{
	struct rpc *rpc = arg;
	struct call *call;

	LIST_FOREACH(call, &rpc->calls, link)
		subscriber_pump(call->reader);
	on_read(bev, rpc); /* what was left in its input */
}

static void
on_event(FL_UNUSED struct bufferevent *bev, short what, void *arg)
{
	struct rpc *rpc = arg;

	if ((what & BEV_EVENT_TIMEOUT) != 0)
		fl_log_warn("client does not read, cut off", fl_str("path", "/_goRPC_"), fl_str("peer", rpc->peer));
	rpc_close(rpc, (what & BEV_EVENT_EOF) != 0 ? "the client has ended it" : "it broke off");
}

static void
rpc_start(struct controller *c, struct bufferevent *bev, bool is_json, char *peer)
{
	const struct timeval limit = { c->cfg->reader_timeout_s, 0 };
	struct rpc *rpc = fl_xcalloc(1, sizeof(*rpc));

	rpc->c = c;
	rpc->bev = bev;
	rpc->codec.is_json = is_json;
	rpc->peer = peer;
	rpc->end = event_new(c->base, -1, 0, on_end, rpc);
	LIST_INIT(&rpc->calls);
	LIST_INSERT_HEAD(&c->rpcs, rpc, link);
	bufferevent_setcb(bev, on_read, on_written, on_event, rpc);
	bufferevent_setwatermark(bev, EV_READ, 0, 2 * RPC_MAX_REQUEST);
	bufferevent_setwatermark(bev, EV_WRITE, ROOM, 0);
	bufferevent_set_timeouts(bev, NULL, &limit);
	bufferevent_enable(bev, EV_READ | EV_WRITE);
	bufferevent_trigger(bev, EV_READ, BEV_TRIG_IGNORE_WATERMARKS | BEV_TRIG_DEFER_CALLBACKS);
}

void
rpc_connect(struct fl_http_req *req, void *arg)
{
	static const char connected[] = "HTTP/1.0 200 Connected to Go RPC\n\n", must_connect[] = "405 must CONNECT\n";
	bool is_json = fl_http_accepts(req, "application/vnd.flynn.rpc-hijack+json");
	struct bufferevent *bev;
	char *peer;

	if (strcmp(fl_http_method(req), "CONNECT") != 0) {
		fl_http_add_header(req, "Allow", "CONNECT");
		fl_http_reply(req, 405, "text/plain; charset=utf-8", must_connect, sizeof(must_connect) - 1);
		return;
	}
	peer = fl_xstrdup(fl_http_peer(req));
	if ((bev = fl_http_hijack(req, connected)) != NULL)
		rpc_start(arg, bev, is_json, peer);
	else
		free(peer);
}
