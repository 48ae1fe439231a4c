#include "host/volume.h"

#include <stdlib.h>
#include <string.h>

#include "host/container.h"
#include "host/engine.h"
#include "host/host.h"
#include "host/job.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/http_server.h"
#include "libflynn/json.h"
#include "libflynn/url.h"
#include "libflynn/xmalloc.h"

/* A request that waits for the engine. */
struct volume_request {
	struct host *host;
	struct fl_http_req *req;
	char *name;
	char *user; /* the ended job whose container is being removed; NULL: none */
};

struct fl_http_call *
volume_create(struct host *h, const char *name, fl_http_client_cb cb, void *arg)
{
	struct engine_call call = { .method = "POST" };
	struct fl_http_call *started = NULL;
	struct fl_buf body = { 0 };
	struct fl_jsonw w = fl_jsonw(&body);
	char *full = container_volume_name(h, name);

	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_str(&w, "Name", full);
	fl_jsonw_open(&w, "Labels", '{');
	fl_jsonw_str(&w, HOST_LABEL, h->id);
	fl_jsonw_str(&w, HOST_LABEL_VOLUME, name);
	fl_jsonw_close(&w, '}');
	fl_jsonw_close(&w, '}');
	call.body = fl_buf_cstr(&body);
	started = engine_start(h->engine, &call, cb, arg, "/volumes/create");
	fl_buf_release(&body);
	free(full);
	return started;
}

char *
volume_filter(const struct host *h)
{
	char *filter = fl_xasprintf("{\"label\":[\"" HOST_LABEL "=%s\"]}", h->id), *encoded = fl_url_encode(filter);

	free(filter);
	return encoded;
}

static void
request_free(struct volume_request *r)
{
	free(r->name);
	free(r->user);
	free(r);
}

static struct volume_request *
request_new(struct host *h, struct fl_http_req *req, const char *name)
{
	struct volume_request *r = fl_xcalloc(1, sizeof(*r));

	*r = (struct volume_request){ .host = h, .req = req, .name = fl_xstrdup_null(name) };
	return r;
}

/* ---- list ---- */

static void
write_volume(struct fl_jsonw *w, const struct fl_json *v)
{
	const char *name = fl_json_str(fl_json_get(fl_json_get(v, "Labels"), HOST_LABEL_VOLUME), NULL);

	if (name == NULL)
		return; /* the one that marks the claim */
	fl_jsonw_open(w, NULL, '{');
	fl_jsonw_str(w, "name", name);
	fl_jsonw_str_oe(w, "created_at", fl_json_str(fl_json_get(v, "CreatedAt"), NULL));
	fl_jsonw_close(w, '}');
}

static void
on_listed(const struct fl_http_result *res, const struct fl_err *call_err, void *arg)
{
	struct volume_request *r = arg;
	struct fl_buf body = { 0 };
	struct fl_jsonw w = fl_jsonw(&body);
	struct fl_json *v = NULL;
	const struct fl_json *volumes = NULL;
	struct fl_err err = { 0 };

	if (engine_check(r->host->engine, res, call_err, "list the volumes", &err) == -1 ||
	    (v = fl_json_parse(res->body, res->len, &err)) == NULL) {
		fl_http_reply_err(r->req, &err);
		goto out;
	}
	volumes = fl_json_get(v, "Volumes");
	fl_jsonw_open(&w, NULL, '[');
	for (size_t i = 0; i < fl_json_len(volumes); i++)
		write_volume(&w, fl_json_at(volumes, i));
	fl_jsonw_close(&w, ']');
	fl_http_reply_json(r->req, 200, &body);
out:
	fl_json_free(v);
	fl_buf_release(&body);
	request_free(r);
}

void
volume_reply_list(struct host *h, struct fl_http_req *req)
{
	char *filter = volume_filter(h);

	engine_start(h->engine, NULL, on_listed, request_new(h, req, NULL), "/volumes?filters=%s", filter);
	free(filter);
}

/* ---- delete ---- */

static bool
uses(const struct job *j, const char *name)
{
	for (size_t i = 0; i < job_spec(j)->n_volumes; i++)
		if (strcmp(job_spec(j)->volumes[i].name, name) == 0)
			return true;
	return false;
}

static struct job *
find_user(const struct host *h, const char *name)
{
	struct job *j;

	TAILQ_FOREACH (j, &h->jobs, link)
		if (j->state != JOB_ENDED && uses(j, name))
			return j;
	return NULL;
}

static struct job *
find_ended_user(const struct host *h, const char *name)
{
	struct job *j;

	TAILQ_FOREACH (j, &h->jobs, link)
		if (j->state == JOB_ENDED && !j->container_removed && j->active->container_id != NULL && uses(j, name))
			return j;
	return NULL;
}

static void
on_deleted(const struct fl_http_result *res, const struct fl_err *call_err, void *arg)
{
	struct volume_request *r = arg;
	struct fl_err err = { 0 };

	if (engine_check(r->host->engine, res, call_err, "remove the volume", &err) == 0) {
		fl_http_reply(r->req, 200, "application/json", "{}", 2);
	} else {
		if (err.kind == FL_ERR_NOT_FOUND)
			fl_err_set(&err, FL_ERR_NOT_FOUND, "no volume %s on this host", r->name);
		fl_http_reply_err(r->req, &err);
	}
	request_free(r);
}

static void delete_next(struct volume_request *r);

static void
on_user_removed(const struct fl_http_result *res, const struct fl_err *call_err, void *arg)
{
	struct volume_request *r = arg;
	struct fl_err err = { 0 };
	struct job *ended;

	if (engine_check(r->host->engine, res, call_err, "remove the container that has the volume", &err) == 0 ||
	    err.kind == FL_ERR_NOT_FOUND) {
		delete_next(r);
		return;
	}
	if ((ended = job_find(r->host, r->user)) != NULL)
		ended->container_removed = false; /* to be tried again when somebody asks again */
	fl_http_reply_err(r->req, &err);
	request_free(r);
}

/* Containers that ended keep their volume busy; their logs are worth less than being obeyed. */
static void
delete_next(struct volume_request *r)
{
	static const struct engine_call call = { .method = "DELETE" };
	struct job *ended = find_ended_user(r->host, r->name);
	char *full = NULL, *encoded = NULL;

	if (ended != NULL) {
		ended->container_removed = true;
		free(r->user);
		r->user = fl_xstrdup(job_id(ended));
		engine_start(r->host->engine, &call, on_user_removed, r, "/containers/%s?force=1&v=1", ended->active->container_id);
		return;
	}
	full = container_volume_name(r->host, r->name);
	encoded = fl_url_encode(full);
	engine_start(r->host->engine, &call, on_deleted, r, "/volumes/%s", encoded);
	free(full);
	free(encoded);
}

void
volume_reply_delete(struct host *h, struct fl_http_req *req, const char *name)
{
	const struct job *user = find_user(h, name);
	struct fl_err err = { 0 };

	if (user == NULL) {
		delete_next(request_new(h, req, name));
		return;
	}
	fl_err_set(&err, FL_ERR_CONFLICT, "volume %s is in use by %s: stop job %s first", name, job_what(user), job_id(user));
	fl_http_reply_err(req, &err);
}
