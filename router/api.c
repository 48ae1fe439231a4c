#include "router/api.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/etcd.h"
#include "libflynn/http_server.h"
#include "libflynn/json.h"
#include "libflynn/list.h"
#include "libflynn/log.h"
#include "libflynn/random.h"
#include "libflynn/xmalloc.h"
#include "router/acme.h"
#include "router/listener.h"
#include "router/requests.h"
#include "router/route.h"
#include "router/router.h"
#include "router/sync.h"
#include "router/tls_cert.h"

/* How long a change that etcd has taken may need to come back to us. */
#define APPLY_MS 5000
/* How long discoverd may need to say where a route's service runs; the route stands without. */
#define SERVICE_MS 1000

/* A change of a route that is under way. */
struct change {
	LIST_ENTRY(change) link;
	struct router_api *api;
	struct fl_http_req *req;
	struct route *route; /* NULL: a deletion */
	char *id;
	bool is_allocating;
	int64_t expected_rev; /* of what it replaces; FL_ETCD_ABSENT, FL_ETCD_ANY */
	int n_ports_tried;
	bool is_stored; /* etcd has it, at revision rev */
	int64_t rev;
	bool has_waited; /* for discoverd, SERVICE_MS */
	struct event *timer;
};

struct router_api {
	struct router *router;
	LIST_HEAD(, change) changes;
};

static void
change_free(struct change *c)
{
	LIST_REMOVE(c, link);
	event_free(c->timer);
	route_free(c->route);
	free(c->id);
	free(c);
}

static void
write_route(const struct router *r, const struct route *route, struct fl_buf *b)
{
	char *status = acme_describe(r->acme, route);

	route_write_status(route, b, status);
	free(status);
}

static void
reply_route(struct fl_http_req *req, const struct router *r, const struct route *route)
{
	struct fl_buf b = { 0 };

	write_route(r, route, &b);
	fl_http_reply_json(req, 200, &b);
	fl_buf_release(&b);
}

static void
reply_empty(struct fl_http_req *req)
{
	fl_http_reply(req, 200, "application/json; charset=UTF-8", "{}", 2);
}

static void
fail(struct change *c, const struct fl_err *err)
{
	fl_http_reply_err(c->req, err);
	change_free(c);
}

static bool
is_applied(const struct change *c)
{
	const struct sync *s = c->api->router->sync;
	const struct route *now;
	int64_t rev = 0;

	if (!c->is_stored || !sync_is_applied(s))
		return false;
	now = sync_find(s, c->id, &rev);
	if (c->route == NULL)
		return now == NULL || rev > c->rev; /* gone, or made anew since */
	if (now == NULL || rev < c->rev)
		return false;
	return c->has_waited || sync_is_service_known(s, c->route->service);
}

static void
finish(struct change *c)
{
	fl_log_info(c->route != NULL ? "route set" : "route removed", fl_str("route", c->id),
	    fl_str("service", c->route != NULL ? c->route->service : ""));
	if (c->route != NULL)
		reply_route(c->req, c->api->router, c->route);
	else
		reply_empty(c->req);
	change_free(c);
}

void
router_api_changed(struct router_api *api)
{
	struct change *c, *next;

	LIST_FOREACH_SAFE(c, &api->changes, link, next) {
		if (is_applied(c))
			finish(c);
	}
}

static void
wait_more(struct change *c, int ms)
{
	struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	evtimer_add(c->timer, &tv);
}

static void
on_late(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct change *c = arg;
	struct fl_err err = { 0 };
	bool has_waited = c->has_waited;

	c->has_waited = true;
	if (is_applied(c)) {
		finish(c);
		return;
	}
	if (!has_waited) {
		wait_more(c, APPLY_MS - SERVICE_MS);
		return;
	}
	fl_err_set(&err, FL_ERR_TIMEOUT, "etcd has stored the change of %s, but did not tell of it within %d s", c->id,
	    APPLY_MS / 1000);
	fail(c, &err);
}

static void
stored(struct change *c, int64_t rev)
{
	c->is_stored = true;
	c->rev = rev;
	if (is_applied(c))
		finish(c);
	else
		wait_more(c, SERVICE_MS);
}

static struct change *
change_new(struct router_api *api, struct fl_http_req *req, struct route *route, const char *id)
{
	struct change *c = fl_xcalloc(1, sizeof(*c));

	c->api = api;
	c->req = req;
	c->route = route;
	c->id = fl_xstrdup_null(id);
	c->timer = evtimer_new(api->router->base, on_late, c);
	LIST_INSERT_HEAD(&api->changes, c, link);
	return c;
}

/* Whether this machine lets us listen on a TCP route's port. */
static int
check_port(const struct router *r, int port, struct fl_err *err)
{
	char *addr;
	int fd;

	for (size_t i = 0; i < fl_nitems(r->own_ports); i++)
		if (r->own_ports[i] == port)
			return fl_err_set(err, FL_ERR_CONFLICT, "port %d is the router's own", port);
	addr = fl_xasprintf("%s:%d", r->cfg->tcp_ip, port);
	fd = listener_open(addr, err);
	free(addr);
	if (fd == -1)
		return -1;
	close(fd);
	return 0;
}

/* The same for a request that comes again, so that two at a time meet at a port. */
static uint32_t
first_try(const struct route *r)
{
	uint32_t hash = 2166136261u; /* FNV-1a */

	if (r->once == NULL)
		return fl_random_below(UINT32_MAX);
	for (const char *p = r->once; *p != '\0'; p++)
		hash = (hash ^ (unsigned char)*p) * 16777619u;
	return hash;
}

/* The next port of the range that no route has and that is free here. */
static int
next_port(struct change *c, struct fl_err *err)
{
	const struct router *r = c->api->router;
	int first = r->cfg->tcp_range_start, last = r->cfg->tcp_range_end, n = last - first + 1;

	if (c->n_ports_tried == 0)
		route_set_port(c->route, first + (int)(first_try(c->route) % (uint32_t)n));
	while (c->n_ports_tried++ < n) {
		int port = c->route->port == last ? first : c->route->port + 1;

		route_set_port(c->route, port);
		if (sync_find(r->sync, c->route->id, NULL) == NULL && check_port(r, port, NULL) == 0)
			return 0;
	}
	return fl_err_set(err, FL_ERR_UNAVAILABLE, "no TCP port from %d to %d is free: remove a TCP route, or name a port", first, last);
}

static void on_put(int64_t rev, const struct fl_err *err, void *arg);

static void
put(struct change *c)
{
	struct fl_buf b = { 0 };
	char *key = fl_xasprintf("%s%s", SYNC_PREFIX, c->route->id);

	free(c->id);
	c->id = fl_xstrdup(c->route->id);
	route_write(c->route, &b, true);
	fl_etcd_put(c->api->router->etcd, key, fl_buf_cstr(&b), 0, c->expected_rev, on_put, c);
	if (b.data != NULL)
		explicit_bzero(b.data, b.len); /* it has the private key */
	fl_buf_release(&b);
	free(key);
}

/* Another route is there. */
static void
on_taken(struct change *c)
{
	struct fl_err why = { 0 };

	if (c->is_allocating) {
		if (next_port(c, &why) == 0)
			put(c);
		else
			fail(c, &why);
		return;
	}
	if (c->expected_rev > 0)
		fl_err_set(&why, FL_ERR_CONFLICT, "the route %s was changed by somebody else meanwhile: look at it and try again", c->id);
	else if (c->route->type == ROUTE_HTTP)
		fl_err_set(&why, FL_ERR_CONFLICT, "a route for %s%s exists already", c->route->domain,
		    c->route->path != NULL ? c->route->path : "");
	else
		fl_err_set(&why, FL_ERR_CONFLICT, "a route for TCP port %d exists already", c->route->port);
	fail(c, &why);
}

/* Whose the place is that another change had first: when it is of the same request, that one's is the answer. */
static void
on_occupant(const struct fl_etcd_kv *kvs, size_t n, FL_UNUSED int64_t rev, const struct fl_err *err, void *arg)
{
	struct change *c = arg;
	struct fl_json *v = err == NULL && n > 0 ? fl_json_parse(kvs[0].value, kvs[0].value_len, NULL) : NULL;
	struct route *there = v != NULL ? route_parse(v, NULL) : NULL;

	fl_json_free(v);
	if (there == NULL || !route_is_same(there, c->route)) {
		route_free(there);
		on_taken(c);
		return;
	}
	route_free(c->route);
	c->route = there;
	stored(c, kvs[0].mod_rev);
}

static void
ask_occupant(struct change *c)
{
	char *key = fl_xasprintf("%s%s", SYNC_PREFIX, c->id);

	fl_etcd_get(c->api->router->etcd, key, on_occupant, c);
	free(key);
}

static void
on_put(int64_t rev, const struct fl_err *err, void *arg)
{
	struct change *c = arg;
	struct fl_err why = { 0 };

	if (err == NULL) {
		stored(c, rev);
	} else if (err->kind != FL_ERR_CONFLICT) {
		fl_err_set(&why, err->kind, "cannot store the route in etcd: %s", err->msg);
		fail(c, &why);
	} else if (c->route->once != NULL && c->expected_rev == FL_ETCD_ABSENT) {
		ask_occupant(c);
	} else {
		on_taken(c);
	}
}

/* What can be said against a route before it is stored. */
static int
check(struct change *c, struct fl_err *err)
{
	const struct router *r = c->api->router;
	const struct route *route = c->route;
	struct tls_cert *cert;

	if (route->type == ROUTE_TCP) {
		c->is_allocating = route->port == 0;
		if (c->is_allocating)
			return next_port(c, err);
		return sync_find(r->sync, route->id, NULL) != NULL ? 0 : check_port(r, route->port, err);
	}
	if (route->tls_cert != NULL) {
		if ((cert = tls_cert_parse(route->tls_cert, route->tls_key, err)) == NULL)
			return -1;
		tls_cert_free(cert);
	}
	return 0;
}

/* Store route, or say by err why there is none. old: what it replaces, or NULL. */
static void
store(struct fl_http_req *req, struct router *r, struct route *route, const struct route *old, int64_t expected_rev, struct fl_err *err)
{
	struct change *c;

	if (route == NULL) {
		fl_http_reply_err(req, err);
		return;
	}
	c = change_new(r->api, req, route, NULL);
	if (check(c, err) == -1) {
		fail(c, err);
		return;
	}
	c->expected_rev = c->is_allocating ? FL_ETCD_ABSENT : expected_rev;
	route_stamp(route, old != NULL ? old->created_at : NULL);
	put(c);
}

struct search {
	const struct route *wanted, *found;
};

static void
look_at(const struct route *r, void *arg)
{
	struct search *s = arg;

	if (route_is_same(r, s->wanted))
		s->found = r;
}

static void
set_route(struct fl_http_req *req, struct router *r, bool must_be_new)
{
	struct fl_err err = { 0 };
	const struct fl_json *body = fl_http_json(req, &err);
	struct route *route = body != NULL ? route_parse(body, &err) : NULL;
	const struct route *old = NULL;
	struct search same = { .wanted = route };

	if (route != NULL && route->once != NULL && must_be_new)
		sync_each(r->sync, look_at, &same);
	if (same.found != NULL) {
		reply_route(req, r, same.found);
		route_free(route);
		return;
	}
	if (route != NULL && route->id != NULL && !must_be_new)
		old = sync_find(r->sync, route->id, NULL);
	if (old != NULL)
		route_keep_cert(route, old);
	store(req, r, route, old, must_be_new ? FL_ETCD_ABSENT : FL_ETCD_ANY, &err);
}

static void
routes_create(struct fl_http_req *req, void *arg)
{
	set_route(req, arg, true);
}

static void
routes_set(struct fl_http_req *req, void *arg)
{
	set_route(req, arg, false);
}

struct listing {
	const struct router *router;
	struct fl_jsonw w;
	const char *parent_ref;
};

static void
list_one(const struct route *r, void *arg)
{
	struct listing *l = arg;
	struct fl_buf b = { 0 };

	if (l->parent_ref != NULL && (r->parent_ref == NULL || strcmp(r->parent_ref, l->parent_ref) != 0))
		return;
	write_route(l->router, r, &b);
	fl_jsonw_raw(&l->w, NULL, fl_buf_cstr(&b));
	fl_buf_release(&b);
}

/* Before etcd was read once, there is nothing to tell. */
static bool
is_ready(struct fl_http_req *req, const struct router *r)
{
	struct fl_err err = { 0 };

	if (sync_is_ready(r->sync))
		return true;
	fl_err_set(&err, FL_ERR_UNAVAILABLE, "routes have not been read from etcd at %s yet", r->cfg->etcd_urls);
	fl_http_reply_err(req, &err);
	return false;
}

static void
routes_list(struct fl_http_req *req, void *arg)
{
	struct router *r = arg;
	struct fl_buf b = { 0 };
	struct listing l = { .router = r, .w = fl_jsonw(&b), .parent_ref = fl_http_query(req, "parent_ref") };

	if (!is_ready(req, r))
		return;
	fl_jsonw_open(&l.w, NULL, '[');
	sync_each(r->sync, list_one, &l);
	fl_jsonw_close(&l.w, ']');
	fl_http_reply_json(req, 200, &b);
	fl_buf_release(&b);
}

static char *
id_of(const struct fl_http_req *req)
{
	return fl_xasprintf("%s/%s", fl_http_param(req, "type"), fl_http_param(req, "hash"));
}

static void
reply_not_found(struct fl_http_req *req, const char *id)
{
	struct fl_err err = { 0 };

	fl_err_set(&err, FL_ERR_NOT_FOUND, "no route %s", id);
	fl_http_reply_err(req, &err);
}

static void
routes_get(struct fl_http_req *req, void *arg)
{
	struct router *r = arg;
	char *id = id_of(req);
	const struct route *route = sync_find(r->sync, id, NULL);

	if (route != NULL)
		reply_route(req, r, route);
	else if (is_ready(req, r))
		reply_not_found(req, id);
	free(id);
}

/* Members that are given replace those of the route, as it was when it was looked at. */
static void
routes_update(struct fl_http_req *req, void *arg)
{
	struct router *r = arg;
	struct fl_err err = { 0 };
	const struct fl_json *body = fl_http_json(req, &err);
	char *id = id_of(req);
	int64_t rev = 0;
	const struct route *old = sync_find(r->sync, id, &rev);

	if (old == NULL && is_ready(req, r))
		reply_not_found(req, id);
	else if (old != NULL)
		store(req, r, body != NULL ? route_update(old, body, &err) : NULL, old, rev, &err);
	free(id);
}

static void
on_deleted(int64_t rev, const struct fl_err *err, void *arg)
{
	struct change *c = arg;
	struct fl_err why = { 0 };

	if (err == NULL) {
		stored(c, rev);
		return;
	}
	if (err->kind == FL_ERR_NOT_FOUND)
		fl_err_set(&why, FL_ERR_NOT_FOUND, "no route %s", c->id);
	else
		fl_err_set(&why, err->kind, "cannot remove the route from etcd: %s", err->msg);
	fail(c, &why);
}

static void
routes_delete(struct fl_http_req *req, void *arg)
{
	struct router *r = arg;
	char *id = id_of(req), *key = NULL;
	struct change *c;

	if (sync_find(r->sync, id, NULL) == NULL) {
		if (is_ready(req, r))
			reply_not_found(req, id);
		free(id);
		return;
	}
	c = change_new(r->api, req, NULL, id);
	key = fl_xasprintf("%s%s", SYNC_PREFIX, id);
	fl_etcd_delete(r->etcd, key, on_deleted, c);
	free(key);
	free(id);
}

static const struct fl_http_route routes[] = {
	{ "POST", "/routes", routes_create, 0 },
	{ "PUT", "/routes", routes_set, 0 },
	{ "GET", "/routes", routes_list, 0 },
	{ "GET", "/routes/:type/:hash", routes_get, 0 },
	{ "PUT", "/routes/:type/:hash", routes_update, 0 },
	{ "DELETE", "/routes/:type/:hash", routes_delete, 0 },
	{ "GET", "/requests", requests_get, 0 },
};

struct router_api *
router_api_new(struct router *r, const char *addr, struct fl_err *err)
{
	struct router_api *api = fl_xcalloc(1, sizeof(*api));

	api->router = r;
	LIST_INIT(&api->changes);
	if (fl_http_listen(r->http, addr, routes, fl_nitems(routes), r, err) == -1) {
		free(api);
		return NULL;
	}
	return api;
}

void
router_api_free(struct router_api *api)
{
	struct change *c, *next;

	if (api == NULL)
		return;
	LIST_FOREACH_SAFE(c, &api->changes, link, next)
		change_free(c);
	free(api);
}
