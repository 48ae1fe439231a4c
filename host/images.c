#include "host/images.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "host/engine.h"
#include "host/host.h"
#include "host/image.h"
#include "host/pull.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/http_server.h"
#include "libflynn/json.h"
#include "libflynn/log.h"
#include "libflynn/url.h"
#include "libflynn/xmalloc.h"

/* A request that waits for the engine. */
struct request {
	struct host *host;
	struct fl_http_req *req;
	struct image image;
	bool is_pulled; /* in this request, or not to be */
};

static void
request_free(struct request *r)
{
	image_release(&r->image);
	free(r);
}

static void
request_fail(struct request *r, const struct fl_err *err)
{
	fl_http_reply_err(r->req, err);
	request_free(r);
}

static void
inspect(struct request *r, fl_http_client_cb cb)
{
	char *ref = fl_url_encode(r->image.ref);

	engine_start(r->host->engine, NULL, cb, r, "/images/%s/json", ref);
	free(ref);
}

static bool
has_word(const struct fl_json *list, const char *word)
{
	for (size_t i = 0; i < fl_json_len(list); i++)
		if (strcmp(fl_json_str(fl_json_at(list, i), ""), word) == 0)
			return true;
	return false;
}

/* Whether it came from a registry by our doing. */
static bool
is_marked(const struct fl_json *inspected)
{
	char *mark = pull_mark(fl_json_text(inspected, "Id"));
	bool marked = has_word(fl_json_get(inspected, "RepoTags"), mark);

	free(mark);
	return marked;
}

/* ---- what a name means ---- */

/* The digest by which a registry has the image under its name; NULL: none does. Borrowed. */
static const char *
digest_of(const struct fl_json *inspected, const char *name)
{
	const struct fl_json *digests = fl_json_get(inspected, "RepoDigests");
	size_t len = strlen(name);

	for (size_t i = 0; i < fl_json_len(digests); i++) {
		const char *d = fl_json_str(fl_json_at(digests, i), "");

		if (strncmp(d, name, len) == 0 && d[len] == '@')
			return d + len + 1;
	}
	return NULL;
}

static void
reply_resolved(struct request *r, const struct fl_json *inspected)
{
	const struct fl_json *config = fl_json_get(inspected, "Config");
	const char *digest = digest_of(inspected, r->image.name);
	struct fl_buf body = { 0 };
	struct fl_jsonw w = fl_jsonw(&body);
	char *uri = fl_xasprintf("docker:///%s?tag=%s&id=%s%s%s", r->image.name, r->image.tag, fl_json_text(inspected, "Id"),
	    digest != NULL ? "&digest=" : "", digest != NULL ? digest : "");

	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_str(&w, "uri", uri);
	fl_jsonw_value(&w, "cmd", fl_json_get(config, "Cmd"));
	fl_jsonw_value(&w, "entrypoint", fl_json_get(config, "Entrypoint"));
	fl_jsonw_str(&w, "architecture", fl_json_text(inspected, "Architecture"));
	fl_jsonw_str(&w, "os", fl_json_text(inspected, "Os"));
	fl_jsonw_close(&w, '}');
	fl_http_reply_json(r->req, 200, &body);
	fl_buf_release(&body);
	free(uri);
	request_free(r);
}

static void on_looked_up(const struct fl_http_result *res, const struct fl_err *call_err, void *arg);

/* What was pulled before will do when its registry is away. */
static void
on_pulled_again(const struct fl_err *err, void *arg)
{
	struct request *r = arg;

	if (err != NULL)
		fl_log_warn("an image is used as it was pulled before", fl_str("image", r->image.ref), fl_str("err", err->msg));
	inspect(r, on_looked_up);
}

static void
on_pulled(const struct fl_err *err, void *arg)
{
	struct request *r = arg;

	if (err != NULL)
		request_fail(r, err);
	else
		inspect(r, on_looked_up);
}

static void
on_looked_up(const struct fl_http_result *res, const struct fl_err *call_err, void *arg)
{
	struct request *r = arg;
	struct fl_err err = { 0 };
	struct fl_json *v = NULL;

	if (engine_check(r->host->engine, res, call_err, "look for the image", &err) == 0)
		v = fl_json_parse(res->body, res->len, &err);
	if (v == NULL && err.kind == FL_ERR_NOT_FOUND && !r->is_pulled) {
		r->is_pulled = true;
		pull_start(r->host, &r->image, on_pulled, r);
	} else if (v == NULL) {
		request_fail(r, &err);
	} else if (!r->is_pulled && is_marked(v)) {
		r->is_pulled = true;
		pull_start(r->host, &r->image, on_pulled_again, r);
	} else {
		reply_resolved(r, v);
	}
	fl_json_free(v);
}

void
images_reply_resolve(struct host *h, struct fl_http_req *req)
{
	struct fl_err err = { 0 };
	const struct fl_json *v = fl_http_json(req, &err);
	struct request *r = fl_xcalloc(1, sizeof(*r));
	const char *uri = "";

	*r = (struct request){ .host = h, .req = req };
	if (v == NULL || fl_json_member_str(v, "uri", &uri, &err) == -1 || image_parse(uri, &r->image, &err) == -1) {
		request_fail(r, &err);
		return;
	}
	r->is_pulled = r->image.id != NULL && r->image.digest == NULL; /* an id is what it is */
	inspect(r, on_looked_up);
}

/* ---- one that is not needed ---- */

static void
on_removed(const struct fl_http_result *res, const struct fl_err *call_err, void *arg)
{
	struct request *r = arg;
	struct fl_err err = { 0 };

	if (engine_check(r->host->engine, res, call_err, "remove the image", &err) == -1 && err.kind != FL_ERR_NOT_FOUND) {
		request_fail(r, &err);
		return;
	}
	fl_log_info("image removed", fl_str("image", r->image.ref));
	fl_http_reply(r->req, 200, "application/json", "{}", 2);
	request_free(r);
}

/* Whether it has no tags but ours and the one that the URI names. */
static bool
is_otherwise_unnamed(const struct request *r, const struct fl_json *inspected)
{
	const struct fl_json *tags = fl_json_get(inspected, "RepoTags");
	char *mark = pull_mark(fl_json_text(inspected, "Id")), *own = fl_xasprintf("%s:%s", r->image.name, r->image.tag);
	bool unnamed = true;

	for (size_t i = 0; i < fl_json_len(tags); i++) {
		const char *tag = fl_json_str(fl_json_at(tags, i), "");

		unnamed = unnamed && (strcmp(tag, mark) == 0 || strcmp(tag, own) == 0);
	}
	free(mark);
	free(own);
	return unnamed;
}

/* With force goes what ended containers have, which are kept for their logs alone; not what a running one has. */
static void
remove_image(struct request *r, const struct fl_json *inspected)
{
	static const struct engine_call call = { .method = "DELETE" };
	char *own = fl_xasprintf("%s:%s", r->image.name, r->image.tag), *quoted = fl_url_encode(own);

	if (!is_marked(inspected)) {
		fl_http_reply(r->req, 200, "application/json", "{}", 2);
		request_free(r);
	} else if (is_otherwise_unnamed(r, inspected)) {
		engine_start(r->host->engine, &call, on_removed, r, "/images/%s?force=1", fl_json_text(inspected, "Id"));
	} else if (has_word(fl_json_get(inspected, "RepoTags"), own)) {
		engine_start(r->host->engine, &call, on_removed, r, "/images/%s", quoted);
	} else {
		fl_http_reply(r->req, 200, "application/json", "{}", 2);
		request_free(r);
	}
	free(own);
	free(quoted);
}

static void
on_found(const struct fl_http_result *res, const struct fl_err *call_err, void *arg)
{
	struct request *r = arg;
	struct fl_err err = { 0 };
	struct fl_json *v = NULL;

	if (engine_check(r->host->engine, res, call_err, "look for the image", &err) == 0)
		v = fl_json_parse(res->body, res->len, &err);
	if (v == NULL)
		request_fail(r, &err);
	else
		remove_image(r, v);
	fl_json_free(v);
}

void
images_reply_remove(struct host *h, struct fl_http_req *req)
{
	const char *uri = fl_http_query(req, "uri");
	struct request *r = fl_xcalloc(1, sizeof(*r));
	struct fl_err err = { 0 };

	*r = (struct request){ .host = h, .req = req };
	if (image_parse(uri, &r->image, &err) == -1)
		request_fail(r, &err);
	else
		inspect(r, on_found);
}
