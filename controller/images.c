#include "controller/images.h"

#include <stdlib.h>
#include <string.h>

#include "controller/answer.h"
#include "controller/artifacts.h"
#include "controller/controller.h"
#include "controller/hosts.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/http_client.h"
#include "libflynn/http_server.h"
#include "libflynn/json.h"
#include "libflynn/pg.h"
#include "libflynn/xmalloc.h"

#define URI_MAX 1024
#define PULL_MS (30 * 60 * 1000)

struct resolving {
	struct controller *c;
	struct fl_http_req *req; /* NULL: gone */
	struct fl_json *image;	 /* what the host says */
};

static void
on_close(FL_UNUSED struct fl_http_req *req, void *arg)
{
	struct resolving *r = arg;

	r->req = NULL;
}

static void
end(struct resolving *r, const char *event, struct fl_buf *data)
{
	if (r->req != NULL) {
		fl_http_on_close(r->req, NULL, NULL);
		fl_http_sse_send(r->req, event, NULL, fl_buf_cstr(data));
		fl_http_stream_end(r->req);
	}
	fl_buf_release(data);
	fl_json_free(r->image);
	free(r);
}

static void
fail(struct resolving *r, const struct fl_err *err)
{
	struct fl_buf b = { 0 };
	struct fl_jsonw w = fl_jsonw(&b);

	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_str(&w, "code", fl_err_code(err->kind));
	fl_jsonw_str(&w, "message", err->msg);
	fl_jsonw_close(&w, '}');
	end(r, "error", &b);
}

static void
on_artifact(const PGresult *res, const struct fl_err *err, void *arg)
{
	struct resolving *r = arg;
	struct fl_buf b = { 0 };
	struct fl_jsonw w = fl_jsonw(&b);

	if (err != NULL) {
		fail(r, err);
		return;
	}
	fl_jsonw_open(&w, NULL, '{');
	artifacts_write_at(&w, "artifact", res, 0, 0);
	fl_jsonw_value(&w, "cmd", fl_json_get(r->image, "cmd"));
	fl_jsonw_value(&w, "entrypoint", fl_json_get(r->image, "entrypoint"));
	fl_jsonw_close(&w, '}');
	end(r, "image", &b);
}

static void
on_resolved(const struct fl_http_result *res, const struct fl_err *call_err, void *arg)
{
	struct resolving *r = arg;
	struct fl_err err = { 0 };
	const char *uri;

	if (call_err != NULL)
		fl_err_set(&err, FL_ERR_UNAVAILABLE, "the host does not answer: %s", call_err->msg);
	else if (fl_http_result_check(res, "look for the image", &err) == 0)
		r->image = fl_json_parse(res->body, res->len, &err);
	uri = fl_json_str(fl_json_get(r->image, "uri"), NULL);
	if (err.kind == FL_ERR_NONE && uri == NULL)
		fl_err_set(&err, FL_ERR_SYSTEM, "the host did not say which image it is");
	if (err.kind != FL_ERR_NONE)
		fail(r, &err);
	else
		fl_pg_query(r->c->pg, artifacts_insert_sql, (const char *[]){ NULL, "docker", uri }, 3, on_artifact, r);
}

void
images_resolve(struct fl_http_req *req, void *arg)
{
	struct controller *c = arg;
	const char *uri = fl_http_query(req, "uri"), *host_id, *addr;
	struct fl_buf body = { 0 };
	struct fl_jsonw w = fl_jsonw(&body);
	struct fl_http_call_opts opts = { .method = "POST", .timeout_ms = PULL_MS };
	struct resolving *r;
	struct fl_err err;
	char *url;

	if (uri == NULL || *uri == '\0' || strlen(uri) > URI_MAX) {
		answer_invalid(req, "uri", "must name an image, as docker:///NAME?tag=TAG");
		return;
	}
	if (hosts_pick(c, NULL, &host_id, &addr, &err) == -1) {
		answer_err(req, NULL, &err);
		return;
	}
	r = fl_xcalloc(1, sizeof(*r));
	*r = (struct resolving){ .c = c, .req = req };
	fl_http_on_close(req, on_close, r);
	fl_http_sse_start(req);
	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_str(&w, "uri", uri);
	fl_jsonw_close(&w, '}');
	opts.url = url = fl_xasprintf("http://%s/host/images", addr);
	opts.body = body.data;
	opts.body_len = body.len;
	fl_http_client_start(c->client, &opts, on_resolved, r);
	fl_buf_release(&body);
	free(url);
}
