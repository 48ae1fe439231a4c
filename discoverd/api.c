/*
 * api - the HTTP API: the original's final one, and sessions, which are our addition.
 */
#include <stdlib.h>
#include <string.h>

#include "discoverd/discoverd.h"
#include "discoverd/instance.h"
#include "discoverd/registry.h"
#include "discoverd/roster.h"
#include "discoverd/store.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/http_server.h"
#include "libflynn/json.h"
#include "libflynn/xmalloc.h"

/* The codes that the original's clients compare. */
static const char *const codes[FL_ERR_MAX] = {
	[FL_ERR_NONE] = "unknown_error",
	[FL_ERR_INVALID] = "validation_error",
	[FL_ERR_DENIED] = "unauthorized",
	[FL_ERR_NOT_FOUND] = "object_not_found",
	[FL_ERR_CONFLICT] = "object_exists",
	[FL_ERR_TOO_BIG] = "request_body_too_big",
	[FL_ERR_TIMEOUT] = "service_unavailable",
	[FL_ERR_UNAVAILABLE] = "service_unavailable",
	[FL_ERR_NO_SPACE] = "service_unavailable",
	[FL_ERR_SYSTEM] = "unknown_error",
};

static void
reply_error(struct fl_http_req *req, int status, const char *code, const char *message, bool retry)
{
	struct fl_buf b = { 0 };
	struct fl_jsonw w = fl_jsonw(&b);

	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_str(&w, "code", code);
	fl_jsonw_str(&w, "message", message);
	fl_jsonw_bool(&w, "retry", retry);
	fl_jsonw_close(&w, '}');
	fl_http_reply_json(req, status, &b);
	fl_buf_release(&b);
}

static void
reply_err(struct fl_http_req *req, const struct fl_err *err)
{
	int status = fl_err_status(err->kind);

	reply_error(req, status, codes[err->kind], err->msg, status >= 500);
}

/* The store's answer, when success says nothing more. */
static void
on_stored(const struct fl_err *err, void *arg)
{
	struct fl_http_req *req = arg;

	if (err != NULL)
		reply_err(req, err);
	else
		fl_http_reply(req, 200, NULL, NULL, 0);
}

/* Before etcd was read, nobody can say what there is or is not. */
static int
check_known(const struct discoverd *d, struct fl_err *err)
{
	if (!registry_is_known(d->registry))
		return fl_err_set(err, FL_ERR_UNAVAILABLE, "etcd has not been read yet");
	return 0;
}

/* The service that the path names; NULL with INVALID, UNAVAILABLE or NOT_FOUND. */
static const struct service *
find_service(const struct discoverd *d, struct fl_http_req *req, struct fl_err *err)
{
	const char *name = fl_http_param(req, "service");
	const struct service *s;

	if (service_name_check(name, err) == -1 || check_known(d, err) == -1)
		return NULL;
	if ((s = registry_find(d->registry, name)) == NULL)
		fl_err_set(err, FL_ERR_NOT_FOUND, "service %s does not exist", name);
	return s;
}

/* The same; NULL: answered. */
static const struct service *
service_of(const struct discoverd *d, struct fl_http_req *req)
{
	struct fl_err err = { 0 };
	const struct service *s = find_service(d, req, &err);

	if (s == NULL)
		reply_err(req, &err);
	return s;
}

/* Event streams. */

struct stream {
	struct fl_http_req *req;
	struct watch *watch; /* NULL: not yet */
	bool closed;	     /* before it was watched */
};

static void
on_event(const char *json, void *arg)
{
	struct stream *s = arg;

	fl_http_sse_send(s->req, NULL, NULL, json);
}

static void
on_stream_close(FL_UNUSED struct fl_http_req *req, void *arg)
{
	struct stream *s = arg;

	if (s->watch == NULL) {
		s->closed = true;
		return;
	}
	registry_unwatch(s->watch);
	free(s);
}

/* name NULL: of all services. */
static void
follow(struct discoverd *d, struct fl_http_req *req, const char *name, unsigned kinds)
{
	struct stream *s = fl_xcalloc(1, sizeof(*s));

	s->req = req;
	fl_http_on_close(req, on_stream_close, s);
	fl_http_sse_start(req);
	if (s->closed) {
		free(s);
		return;
	}
	s->watch = registry_watch(d->registry, name, kinds, on_event, s);
	registry_watch_start(s->watch);
}

static void
stream(struct discoverd *d, struct fl_http_req *req, unsigned kinds)
{
	char *name = fl_xstrdup(fl_http_param(req, "service"));
	struct fl_err err = { 0 };

	if (service_name_check(name, &err) == -1)
		reply_err(req, &err);
	else
		follow(d, req, name, kinds);
	free(name);
}

static bool
wants_stream(const struct fl_http_req *req)
{
	return fl_http_accepts(req, "text/event-stream");
}

/* Services. */

static void
get_services(struct fl_http_req *req, void *arg)
{
	follow(arg, req, NULL, EVENT_ALL);
}

static void
get_service(struct fl_http_req *req, void *arg)
{
	stream(arg, req, EVENT_ALL); /* whatever is accepted, as the original */
}

static void
put_service(struct fl_http_req *req, void *arg)
{
	struct discoverd *d = arg;
	const char *name = fl_http_param(req, "service"), *type = "oldest";
	const struct fl_json *body = NULL;
	struct fl_err err = { 0 };
	size_t len = 0;

	fl_http_body(req, &len);
	if (service_name_check(name, &err) == -1 || check_known(d, &err) == -1)
		goto refused;
	if (len > 0 && (body = fl_http_json(req, &err)) == NULL)
		goto refused;
	if (fl_json_member_str(body, "leader_type", &type, &err) == -1)
		goto refused;
	if (*type != '\0' && strcmp(type, "oldest") != 0 && strcmp(type, "manual") != 0) {
		fl_err_set(&err, FL_ERR_INVALID, "leader_type must be \"oldest\" or \"manual\"");
		goto refused;
	}
	if (registry_find(d->registry, name) != NULL) {
		fl_err_set(&err, FL_ERR_CONFLICT, "service %s exists", name);
		goto refused;
	}
	store_put_service(d->store, name, strcmp(type, "manual") == 0, on_stored, req);
	return;
refused:
	reply_err(req, &err);
}

static void
delete_service(struct fl_http_req *req, void *arg)
{
	struct discoverd *d = arg;
	const struct service *s = service_of(d, req);

	if (s != NULL)
		store_delete_service(d->store, s->name, on_stored, req);
}

/* Meta. */

static void
reply_meta(struct fl_http_req *req, const struct service *s)
{
	struct fl_buf b = { 0 };
	struct fl_jsonw w = fl_jsonw(&b);

	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_raw(&w, "data", s->meta);
	fl_jsonw_str_oe(&w, "leader_id", s->chosen);
	fl_jsonw_int(&w, "index", (int64_t)s->meta_index);
	fl_jsonw_close(&w, '}');
	fl_http_reply_json(req, 200, &b);
	fl_buf_release(&b);
}

static void
get_meta(struct fl_http_req *req, void *arg)
{
	struct discoverd *d = arg;
	struct fl_err err = { 0 };
	const struct service *s = find_service(d, req, &err);

	if (s != NULL && s->meta == NULL)
		fl_err_set(&err, FL_ERR_NOT_FOUND, "service %s has no meta", s->name);
	if (err.kind != FL_ERR_NONE)
		reply_err(req, &err);
	else
		reply_meta(req, s);
}

/* A change of meta, and maybe of the leader with it. */
struct meta_put {
	struct discoverd *d;
	struct fl_http_req *req;
	char *service, *leader_id; /* leader_id NULL: left alone */
	bool create;
};

static void
meta_put_end(struct meta_put *p, const struct fl_err *err)
{
	const struct service *s = registry_find(p->d->registry, p->service);
	struct fl_err gone = { 0 };

	if (err == NULL && (s == NULL || s->meta == NULL)) {
		fl_err_set(&gone, FL_ERR_NOT_FOUND, "service %s was deleted meanwhile", p->service);
		err = &gone;
	}
	if (err == NULL)
		reply_meta(p->req, s);
	else if (err->kind == FL_ERR_CONFLICT && p->create)
		reply_error(p->req, 409, codes[FL_ERR_CONFLICT], "the service has meta already; to change it, send its index", false);
	else if (err->kind == FL_ERR_CONFLICT)
		reply_error(p->req, 412, "precondition_failed", "the meta has changed since that index", false);
	else
		reply_err(p->req, err);
	free(p->service);
	free(p->leader_id);
	free(p);
}

static void
on_meta_leader_stored(const struct fl_err *err, void *arg)
{
	meta_put_end(arg, err);
}

static void
on_meta_stored(const struct fl_err *err, void *arg)
{
	struct meta_put *p = arg;

	if (err == NULL && p->leader_id != NULL)
		store_put_leader(p->d->store, p->service, p->leader_id, on_meta_leader_stored, p);
	else
		meta_put_end(p, err);
}

static int
check_manual(const struct service *s, struct fl_err *err)
{
	if (!s->manual)
		return fl_err_set(err, FL_ERR_INVALID, "the leader of service %s is its oldest instance; it cannot be chosen", s->name);
	return 0;
}

static void
put_meta(struct fl_http_req *req, void *arg)
{
	struct discoverd *d = arg;
	struct fl_err err = { 0 };
	const struct service *s = find_service(d, req, &err);
	const struct fl_json *body;
	const char *leader_id = NULL;
	struct meta_put *p;
	int64_t index = 0;
	size_t len = 0;

	if (s == NULL || (body = fl_http_json(req, &err)) == NULL)
		goto refused;
	if (fl_json_member_int(body, "index", 0, INT64_MAX, &index, &err) == -1 ||
	    fl_json_member_str(body, "leader_id", &leader_id, &err) == -1)
		goto refused;
	if (leader_id != NULL && *leader_id == '\0')
		leader_id = NULL;
	if (leader_id != NULL && check_manual(s, &err) == -1)
		goto refused;
	fl_http_body(req, &len);
	if (len > META_MAX_BYTES) {
		fl_err_set(&err, FL_ERR_TOO_BIG, "meta is larger than %u bytes", META_MAX_BYTES);
		goto refused;
	}
	p = fl_xcalloc(1, sizeof(*p));
	*p = (struct meta_put){ .d = d, .req = req, .service = fl_xstrdup(s->name), .create = index == 0 };
	p->leader_id = fl_xstrdup_null(leader_id);
	store_put_meta(d->store, s->name, fl_json_get(body, "data"), (uint64_t)index, on_meta_stored, p);
	return;
refused:
	reply_err(req, &err);
}

/* Instances. */

static void
put_instance(struct fl_http_req *req, void *arg)
{
	struct discoverd *d = arg;
	struct fl_err err = { 0 };
	const struct service *s = find_service(d, req, &err);
	const struct fl_json *body;
	struct instance *i = NULL;

	if (s == NULL || (body = fl_http_json(req, &err)) == NULL || (i = instance_parse(body, &err)) == NULL)
		goto refused;
	if (strcmp(i->id, fl_http_param(req, "id")) != 0) {
		fl_err_set(&err, FL_ERR_INVALID, "the path's id must be the hex MD5 of \"%s-%s\", which is %s", i->proto, i->addr, i->id);
		goto refused;
	}
	store_put_instance(d->store, s->name, i, fl_http_query(req, "session"), fl_http_query(req, "life"), on_stored, req);
	return;
refused:
	instance_free(i);
	reply_err(req, &err);
}

static void
delete_instance(struct fl_http_req *req, void *arg)
{
	struct discoverd *d = arg;
	const struct service *s = service_of(d, req);

	if (s != NULL)
		store_delete_instance(d->store, s->name, fl_http_param(req, "id"), on_stored, req);
}

static void
get_instances(struct fl_http_req *req, void *arg)
{
	struct discoverd *d = arg;
	struct fl_err err = { 0 };
	const struct service *s;
	struct fl_buf b = { 0 };
	struct fl_jsonw w = fl_jsonw(&b);

	if (wants_stream(req)) {
		stream(d, req, EVENT_UP | EVENT_UPDATE | EVENT_DOWN);
		return;
	}
	s = find_service(d, req, &err);
	if (s != NULL && s->n_instances == 0)
		fl_err_set(&err, FL_ERR_NOT_FOUND, "service %s has no instances", s->name);
	if (err.kind != FL_ERR_NONE) {
		reply_err(req, &err);
		return;
	}
	fl_jsonw_open(&w, NULL, '[');
	for (size_t i = 0; i < s->n_instances; i++)
		instance_write(s->instances[i], &w, NULL);
	fl_jsonw_close(&w, ']');
	fl_http_reply_json(req, 200, &b);
	fl_buf_release(&b);
}

/* Leaders. */

static void
get_leader(struct fl_http_req *req, void *arg)
{
	struct discoverd *d = arg;
	struct fl_err err = { 0 };
	const struct service *s;
	struct fl_buf b = { 0 };
	struct fl_jsonw w = fl_jsonw(&b);

	if (wants_stream(req)) {
		stream(d, req, EVENT_LEADER);
		return;
	}
	s = find_service(d, req, &err);
	if (s != NULL && s->leader == NULL)
		fl_err_set(&err, FL_ERR_NOT_FOUND, "service %s has no leader", s->name);
	if (err.kind != FL_ERR_NONE) {
		reply_err(req, &err);
		return;
	}
	instance_write(s->leader, &w, NULL);
	fl_http_reply_json(req, 200, &b);
	fl_buf_release(&b);
}

static void
put_leader(struct fl_http_req *req, void *arg)
{
	struct discoverd *d = arg;
	struct fl_err err = { 0 };
	const struct service *s = find_service(d, req, &err);
	const struct fl_json *body;
	const char *id = NULL;

	if (s == NULL || check_manual(s, &err) == -1 || (body = fl_http_json(req, &err)) == NULL ||
	    fl_json_member_str(body, "id", &id, &err) == -1)
		goto refused;
	if (id == NULL || service_find(s, id) == NULL) {
		fl_err_set(&err, FL_ERR_INVALID, "id must be that of an instance of service %s", s->name);
		goto refused;
	}
	store_put_leader(d->store, s->name, id, on_stored, req);
	return;
refused:
	reply_err(req, &err);
}

/* Sessions. */

static int
check_session_id(const char *id, struct fl_err *err)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
	size_t len = strlen(id);

	if (len == 0 || len > SESSION_ID_MAX || strspn(id, allowed) != len)
		return fl_err_set(err, FL_ERR_INVALID, "a session's id is 1 to %d letters, digits, \"_\" and \"-\"", SESSION_ID_MAX);
	return 0;
}

static void
on_session_stored(const char *life, bool created, const struct fl_err *err, void *arg)
{
	struct fl_http_req *req = arg;
	struct fl_buf b = { 0 };
	struct fl_jsonw w = fl_jsonw(&b);

	if (err != NULL) {
		reply_err(req, err);
		return;
	}
	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_str(&w, "life", life);
	fl_jsonw_close(&w, '}');
	fl_http_reply_json(req, created ? 201 : 200, &b);
	fl_buf_release(&b);
}

static void
put_session(struct fl_http_req *req, void *arg)
{
	struct discoverd *d = arg;
	const char *id = fl_http_param(req, "id");
	const struct fl_json *body = NULL;
	struct fl_err err = { 0 };
	int64_t ttl_s = SESSION_TTL_S;
	size_t len = 0;

	fl_http_body(req, &len);
	if (check_session_id(id, &err) == -1 || check_known(d, &err) == -1)
		goto refused;
	if (len > 0 && (body = fl_http_json(req, &err)) == NULL)
		goto refused;
	if (fl_json_member_int(body, "ttl_s", 1, SESSION_TTL_MAX_S, &ttl_s, &err) == -1)
		goto refused;
	store_put_session(d->store, id, (int)ttl_s, on_session_stored, req);
	return;
refused:
	reply_err(req, &err);
}

static void
delete_session(struct fl_http_req *req, void *arg)
{
	struct discoverd *d = arg;
	const char *id = fl_http_param(req, "id");
	struct fl_err err = { 0 };

	if (check_session_id(id, &err) == -1 || check_known(d, &err) == -1)
		reply_err(req, &err);
	else
		store_end_session(d->store, id, on_stored, req);
}

static const struct fl_http_route routes[] = {
	{ "GET", "/services", get_services, 0 },
	{ "GET", "/services/:service", get_service, 0 },
	{ "PUT", "/services/:service", put_service, 0 },
	{ "DELETE", "/services/:service", delete_service, 0 },
	{ "GET", "/services/:service/meta", get_meta, 0 },
	{ "PUT", "/services/:service/meta", put_meta, 0 },
	{ "GET", "/services/:service/instances", get_instances, 0 },
	{ "PUT", "/services/:service/instances/:id", put_instance, 0 },
	{ "DELETE", "/services/:service/instances/:id", delete_instance, 0 },
	{ "GET", "/services/:service/leader", get_leader, 0 },
	{ "PUT", "/services/:service/leader", put_leader, 0 },
	{ "PUT", "/sessions/:id", put_session, 0 },
	{ "DELETE", "/sessions/:id", delete_session, 0 },
};

int
api_listen(struct discoverd *d, const char *addr, struct fl_err *err)
{
	return fl_http_listen(d->http, addr, routes, fl_nitems(routes), d, err);
}
