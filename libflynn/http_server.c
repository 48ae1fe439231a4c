/*
 * http_server - the server: what listens, who may ask for what, and how it drains.
 */
#include "libflynn/http_server.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libflynn/attr.h"
#include "libflynn/err.h"
#include "libflynn/http_server_internal.h"
#include "libflynn/json.h"
#include "libflynn/log.h"
#include "libflynn/sign.h"
#include "libflynn/url.h"
#include "libflynn/xmalloc.h"

#define DEFAULT_MAX_BODY ((size_t)1 << 20)
#define ACCEPT_AGAIN_MS 100

static void
ping(struct fl_http_req *req, FL_UNUSED void *arg)
{
	fl_http_reply(req, 200, "text/plain", "ok\n", 3);
}

/* Every server has these; a route of its own comes first, unless it takes any path. */
static const struct fl_http_route builtins[] = {
	{ "GET", "/ping", ping, FL_HTTP_OPEN },
	{ "GET", "/metrics", http_metrics, 0 },
};

static void
on_tick(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	static const struct timeval period = { HTTP_KEEP_ALIVE_S, 0 };
	struct fl_http *h = arg;
	struct fl_http_req *req;

	TAILQ_FOREACH(req, &h->reqs, link)
		http_req_keep_alive(req);
	if (h->n_events > 0)
		evtimer_add(h->tick, &period);
}

static void
on_drained(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct fl_http *h = arg;
	void (*cb)(void *) = h->on_drained;

	h->on_drained = NULL;
	if (cb != NULL)
		cb(h->drained_arg);
}

struct fl_http *
fl_http_new(struct event_base *base, const char *key)
{
	struct fl_http *h = fl_xcalloc(1, sizeof(*h));

	h->base = base;
	h->key = fl_xstrdup_null(key);
	h->max_body = DEFAULT_MAX_BODY;
	h->read_timeout_s = HTTP_IDLE_S;
	h->tick = evtimer_new(base, on_tick, h);
	h->drained = event_new(base, -1, 0, on_drained, h);
	TAILQ_INIT(&h->listeners);
	TAILQ_INIT(&h->conns);
	TAILQ_INIT(&h->reqs);
	return h;
}

void
fl_http_set_max_body(struct fl_http *h, size_t max_bytes)
{
	h->max_body = max_bytes;
}

void
fl_http_set_read_timeout(struct fl_http *h, int seconds)
{
	h->read_timeout_s = seconds;
}

void
fl_http_set_refuse(struct fl_http *h, void (*refuse)(struct fl_http_req *req, const struct fl_err *err))
{
	h->refuse = refuse;
}

void
fl_http_set_authorize(struct fl_http *h, bool (*authorize)(struct fl_http_req *req, void *arg))
{
	h->authorize = authorize;
}

void
fl_http_set_cors(struct fl_http *h, bool on)
{
	h->cors = on;
}

void
fl_http_set_metrics(struct fl_http *h, void (*metrics)(struct fl_buf *out, void *arg))
{
	h->metrics = metrics;
}

static void
map_v4(struct in6_addr *to, const struct in_addr *from)
{
	memset(to, 0, sizeof(*to));
	to->s6_addr[10] = to->s6_addr[11] = 0xff;
	memcpy(&to->s6_addr[12], from, 4);
}

static void
on_accept(FL_UNUSED struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *addr,
    FL_UNUSED int len, void *arg)
{
	struct in6_addr peer = in6addr_any;
	const void *sa = addr;

	if (addr->sa_family == AF_INET6)
		peer = ((const struct sockaddr_in6 *)sa)->sin6_addr;
	else if (addr->sa_family == AF_INET)
		map_v4(&peer, &((const struct sockaddr_in *)sa)->sin_addr);
	http_conn_new(arg, fd, &peer);
}

/* Out of descriptors: the connection stays in the backlog, so stop asking for it for a moment. */
static void
on_accept_error(struct evconnlistener *listener, void *arg)
{
	static const struct timeval pause = { 0, ACCEPT_AGAIN_MS * 1000 };
	struct http_listener *l = arg;

	fl_log_warn("cannot accept a connection", fl_str("err", strerror(errno)));
	evconnlistener_disable(listener);
	evtimer_add(l->again, &pause);
}

static void
on_accept_again(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct http_listener *l = arg;

	evconnlistener_enable(l->listener);
}

static void
listener_free(struct http_listener *l)
{
	if (l->listener != NULL)
		evconnlistener_free(l->listener);
	if (l->again != NULL)
		event_free(l->again);
	free(l);
}

/* All addresses when host is "": IPv6 and IPv4 on one socket, or IPv4 alone where there is no IPv6. */
static int
resolve(const char *host, int port, int family, struct sockaddr_storage *ss, socklen_t *len, struct fl_err *err)
{
	struct addrinfo hints = { .ai_family = family, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE }, *found = NULL;
	char service[16];
	int rc;

	snprintf(service, sizeof(service), "%d", port);
	rc = getaddrinfo(*host != '\0' ? host : NULL, service, &hints, &found);
	if (rc != 0)
		return fl_err_set(err, FL_ERR_INVALID, "resolve %s: %s", host, gai_strerror(rc));
	memcpy(ss, found->ai_addr, found->ai_addrlen);
	*len = found->ai_addrlen;
	freeaddrinfo(found);
	return 0;
}

static int
bind_to(struct http_listener *l, const char *host, int port, int family, struct fl_err *err)
{
	unsigned flags = LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE | LEV_OPT_DISABLED;
	struct sockaddr_storage ss = { 0 };
	socklen_t len = 0;

	if (resolve(host, port, family, &ss, &len, err) == -1)
		return -1;
	l->listener = evconnlistener_new_bind(l->http->base, on_accept, l, flags, SOMAXCONN,
	    (struct sockaddr *)&ss, (int)len);
	if (l->listener == NULL)
		return fl_err_sys(err, "listen on %s:%d", host, port);
	return 0;
}

static int
bound_port(const struct http_listener *l)
{
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} at = { 0 };
	socklen_t len = sizeof(at);

	if (getsockname(evconnlistener_get_fd(l->listener), &at.sa, &len) == -1)
		return 0;
	return ntohs(at.sa.sa_family == AF_INET6 ? at.in6.sin6_port : at.in.sin_port);
}

int
fl_http_listen(struct fl_http *h, const char *addr, const struct fl_http_route *routes, size_t n_routes,
    void *arg, struct fl_err *err)
{
	struct http_listener *l = fl_xcalloc(1, sizeof(*l));
	char *host = NULL;
	int port = 0, rc = -1;

	*l = (struct http_listener){ .http = h, .routes = routes, .n_routes = n_routes, .arg = arg };
	if (fl_url_hostport(addr, &host, &port, err) == -1)
		goto out;
	if (*host == '\0' && bind_to(l, host, port, AF_INET6, NULL) == -1)
		rc = bind_to(l, host, port, AF_INET, err);
	else
		rc = *host == '\0' ? 0 : bind_to(l, host, port, AF_UNSPEC, err);
	if (rc == -1)
		goto out;
	l->again = evtimer_new(h->base, on_accept_again, l);
	evconnlistener_set_error_cb(l->listener, on_accept_error);
	evconnlistener_enable(l->listener);
	h->port = bound_port(l);
	TAILQ_INSERT_TAIL(&h->listeners, l, link);
	l = NULL;
out:
	if (l != NULL)
		listener_free(l);
	free(host);
	return rc;
}

int
fl_http_port(const struct fl_http *h)
{
	return h->port;
}

static void
refuse_default(struct fl_http_req *req, int status, const struct fl_err *err)
{
	struct fl_buf b = { 0 };
	struct fl_jsonw w = fl_jsonw(&b);

	if (status == 401) {
		fl_http_add_header(req, "WWW-Authenticate", "Basic realm=\"flynn\"");
		fl_http_reply(req, 401, NULL, NULL, 0);
		return;
	}
	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_str(&w, "code", fl_err_code(err->kind));
	fl_jsonw_str(&w, "message", err->msg);
	fl_jsonw_close(&w, '}');
	fl_http_reply_json(req, status, &b);
	fl_buf_release(&b);
}

void
http_refuse(struct fl_http_req *req, int status, const struct fl_err *err)
{
	req->handed = true;
	if (req->http->refuse != NULL)
		req->http->refuse(req, err);
	else
		refuse_default(req, status, err);
}

static bool
method_matches(const struct fl_http_route *r, const struct fl_http_req *req)
{
	return strcmp(r->method, req->is_head ? "GET" : req->method) == 0 || strcmp(r->method, "*") == 0;
}

/* The route, or NULL; allowed collects the methods that the path has. */
static const struct fl_http_route *
find_route(struct fl_http_req *req, const struct fl_http_route *routes, size_t n, struct fl_buf *allowed)
{
	for (size_t i = 0; i < n; i++) {
		if (!http_req_match(req, routes[i].path))
			continue;
		if (method_matches(&routes[i], req))
			return &routes[i];
		fl_buf_addf(allowed, "%s%s", allowed->len > 0 ? ", " : "", routes[i].method);
	}
	return NULL;
}

static bool
may_pass(struct fl_http_req *req)
{
	const struct fl_http *h = req->http;

	if (req->route->flags & FL_HTTP_OPEN)
		return true;
	if (h->authorize != NULL)
		return h->authorize(req, req->arg);
	if (h->key == NULL || fl_sign_basic_ok(fl_http_header(req, "Authorization"), h->key))
		return true;
	return (req->route->flags & FL_HTTP_SIGNED) != 0 &&
	    fl_sign_allows(h->key, req->method, req->raw_path, fl_http_query(req, "sig"));
}

static bool
is_catch_all(const struct fl_http_route *route)
{
	return strcmp(route->path, "/*") == 0;
}

/* The listener's route, or a builtin; NULL: none, see allowed. */
static const struct fl_http_route *
choose_route(struct fl_http_req *req, const struct http_listener *l, struct fl_buf *allowed)
{
	const struct fl_http_route *own = find_route(req, l->routes, l->n_routes, allowed), *builtin;

	if (own != NULL && !is_catch_all(own))
		return own;
	builtin = find_route(req, builtins, fl_nitems(builtins), allowed);
	if (builtin != NULL || own == NULL)
		return builtin;
	http_req_match(req, own->path); /* its parameters again */
	return own;
}

/* The request has no route: which status says so, and why. */
static int
refuse_unknown(struct fl_http_req *req, const char *allowed, struct fl_err *err)
{
	if (req->http->authorize != NULL && !req->http->authorize(req, req->arg)) {
		fl_err_set(err, FL_ERR_DENIED, "the key is missing or wrong");
		return 401; /* what there is not is no stranger's business either */
	}
	if (*allowed == '\0') {
		fl_err_set(err, FL_ERR_NOT_FOUND, "there is nothing at %s", req->path);
		return 404;
	}
	fl_err_set(err, FL_ERR_NOT_FOUND, "%s cannot be done on %s, only %s", req->method, req->path, allowed);
	fl_http_add_header(req, "Allow", allowed);
	return 405;
}

/* What a browser asks before it lets a script ask, and wants to be told with each answer. Whether that was all. */
static bool
answer_browser(struct fl_http_req *req)
{
	if (fl_http_header(req, "Origin") != NULL) {
		fl_http_add_header(req, "Access-Control-Allow-Origin", "*");
		fl_http_add_header(req, "Access-Control-Expose-Headers", "X-Request-Id");
	}
	if (strcmp(req->method, "OPTIONS") != 0)
		return false;
	fl_http_add_header(req, "Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, DELETE");
	fl_http_add_header(req, "Access-Control-Allow-Headers", "Authorization, Accept, Content-Type, Idempotency-Key, Last-Event-Id, X-Request-Id");
	fl_http_add_header(req, "Access-Control-Max-Age", "86400");
	req->handed = true;
	fl_http_reply(req, 200, NULL, NULL, 0);
	return true;
}

int
http_route(struct fl_http_req *req, const struct http_listener *l)
{
	struct fl_buf allowed = { 0 };
	struct fl_err err = { 0 };
	int status = 0;

	req->arg = l->arg;
	if (req->http->cors && answer_browser(req))
		return -1;
	req->route = choose_route(req, l, &allowed);
	if (req->route == NULL) {
		status = refuse_unknown(req, fl_buf_cstr(&allowed), &err);
	} else if (!may_pass(req)) {
		status = 401;
		fl_err_set(&err, FL_ERR_DENIED, "the key is missing or wrong");
	} else {
		req->handler = req->route->handler;
	}
	if (status != 0)
		http_refuse(req, status, &err);
	fl_buf_release(&allowed);
	return status == 0 ? 0 : -1;
}

void
http_check_drained(struct fl_http *h)
{
	if (h->draining && TAILQ_EMPTY(&h->conns) && TAILQ_EMPTY(&h->reqs))
		event_active(h->drained, EV_TIMEOUT, 1);
}

static void
stop_listening(struct fl_http *h)
{
	struct http_listener *l;

	while ((l = TAILQ_FIRST(&h->listeners)) != NULL) {
		TAILQ_REMOVE(&h->listeners, l, link);
		listener_free(l);
	}
}

void
fl_http_drain(struct fl_http *h, void (*cb)(void *arg), void *arg)
{
	struct http_listener *l;
	struct http_conn *c;

	if (h->draining)
		return;
	h->draining = true;
	h->on_drained = cb;
	h->drained_arg = arg;
	/* The sockets close, but open connections still ask for the routes. */
	TAILQ_FOREACH(l, &h->listeners, link) {
		evtimer_del(l->again);
		evconnlistener_free(l->listener);
		l->listener = NULL;
	}
	TAILQ_FOREACH(c, &h->conns, link) {
		c->close = true;
		if (c->req != NULL && c->req->answer == HTTP_ANSWER_EVENTS)
			http_conn_finish(c);
		else
			http_conn_resume(c);
	}
	http_check_drained(h);
}

void
fl_http_free(struct fl_http *h)
{
	struct http_conn *c;
	struct fl_http_req *req;

	if (h == NULL)
		return;
	h->draining = false;
	while ((c = TAILQ_FIRST(&h->conns)) != NULL)
		http_conn_free(c);
	while ((req = TAILQ_FIRST(&h->reqs)) != NULL) {
		TAILQ_REMOVE(&h->reqs, req, link);
		req->http = NULL;
	}
	stop_listening(h);
	event_free(h->tick);
	event_free(h->drained);
	free(h->key);
	free(h);
}
