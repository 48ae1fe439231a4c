#include "host/pull.h"

#include <stdlib.h>
#include <string.h>

#include "host/engine.h"
#include "host/host.h"
#include "host/image.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/json.h"
#include "libflynn/log.h"
#include "libflynn/url.h"
#include "libflynn/xmalloc.h"

#define SILENCE_MS 60000
/* A step of the report is a line; what is longer tells us nothing. */
#define MAX_LINE_BYTES (64u << 10)

/* So much of an id tells images of a machine apart. */
#define MARK_LEN 32

struct pull {
	struct host *host;
	struct fl_http_call *call;
	char *ref; /* what the engine finds it by */
	struct fl_buf report; /* of which no line is whole yet */
	char *complaint;
	void (*cb)(const struct fl_err *err, void *arg);
	void *arg;
};

char *
pull_complaint(const char *report)
{
	char *complaint = NULL;

	while (*report != '\0' && complaint == NULL) {
		const char *nl = strchr(report, '\n');
		size_t len = nl != NULL ? (size_t)(nl - report) : strlen(report);
		struct fl_json *v = fl_json_parse(report, len, NULL);

		complaint = fl_xstrdup_null(fl_json_str(fl_json_get(v, "error"), NULL));
		fl_json_free(v);
		report += len + (nl != NULL);
	}
	return complaint;
}

char *
pull_mark(const char *image_id)
{
	const char *colon = strchr(image_id, ':');

	return fl_xasprintf(PULL_MARK ":%.*s", MARK_LEN, colon != NULL ? colon + 1 : image_id);
}

void
pull_cancel(struct pull *p)
{
	if (p == NULL)
		return;
	if (p->call != NULL)
		fl_http_call_cancel(p->call);
	fl_buf_release(&p->report);
	free(p->complaint);
	free(p->ref);
	free(p);
}

static void
take_report(struct pull *p)
{
	if (p->complaint == NULL)
		p->complaint = pull_complaint(fl_buf_cstr(&p->report));
	fl_buf_clear(&p->report);
}

static void
pull_end(struct pull *p, const struct fl_err *err)
{
	void (*cb)(const struct fl_err *, void *) = p->cb;
	void *arg = p->arg;

	pull_cancel(p);
	cb(err, arg);
}

/* An image without our tag stays for ever, which is no reason not to run it. */
static void
on_marked(const struct fl_http_result *res, const struct fl_err *call_err, void *arg)
{
	struct pull *p = arg;
	struct fl_err err = { 0 };

	p->call = NULL;
	if (engine_check(p->host->engine, res, call_err, "tag the image", &err) == -1)
		fl_log_warn("a pulled image is not marked as such", fl_str("image", p->ref), fl_str("err", err.msg));
	pull_end(p, NULL);
}

static void
on_inspected(const struct fl_http_result *res, const struct fl_err *call_err, void *arg)
{
	static const struct engine_call call = { .method = "POST" };
	struct pull *p = arg;
	struct fl_err err = { 0 };
	struct fl_json *v = NULL;
	const char *id = NULL;
	char *mark = NULL;

	p->call = NULL;
	if (engine_check(p->host->engine, res, call_err, "inspect the image", &err) == 0)
		v = fl_json_parse(res->body, res->len, &err);
	if ((id = fl_json_str(fl_json_get(v, "Id"), NULL)) != NULL) {
		mark = pull_mark(id);
		p->call = engine_start(p->host->engine, &call, on_marked, p, "/images/%s/tag?repo=" PULL_MARK "&tag=%s", id,
		    strchr(mark, ':') + 1);
	} else {
		pull_end(p, &err);
	}
	free(mark);
	fl_json_free(v);
}

/* Read as it comes: that of a large image by a slow line has more lines than anybody would keep. */
static int
on_report(const char *data, size_t len, void *arg)
{
	struct pull *p = arg;
	const char *nl = memrchr(data, '\n', len);
	size_t whole = nl != NULL ? (size_t)(nl - data) + 1 : 0;

	if (nl != NULL) {
		fl_buf_add(&p->report, data, whole);
		take_report(p);
	}
	if (p->report.len + len - whole <= MAX_LINE_BYTES)
		fl_buf_add(&p->report, data + whole, len - whole);
	return 0;
}

static void
on_done(const struct fl_http_result *res, const struct fl_err *call_err, void *arg)
{
	struct pull *p = arg;
	struct fl_err err = { 0 }, why = { 0 };
	char *ref;

	p->call = NULL;
	take_report(p);
	if (call_err != NULL && call_err->kind == FL_ERR_TIMEOUT) {
		/* The engine has it under way, so it is there: who is silent is the registry. */
		free(p->complaint);
		p->complaint = fl_xasprintf("nothing came from its registry for %d s", SILENCE_MS / 1000);
	} else if (engine_check(p->host->engine, res, call_err, "pull", &why) == -1) {
		free(p->complaint);
		p->complaint = fl_xstrdup(why.msg);
	}
	if (p->complaint == NULL) {
		ref = fl_url_encode(p->ref);
		p->call = engine_start(p->host->engine, NULL, on_inspected, p, "/images/%s/json", ref);
		free(ref);
		return;
	}
	fl_err_set(&err, why.kind == FL_ERR_UNAVAILABLE ? FL_ERR_UNAVAILABLE : FL_ERR_NOT_FOUND,
	    "image %s is not on this host and cannot be pulled: build it with make images, or push it to a registry this host can reach (%s)",
	    p->ref, p->complaint);
	pull_end(p, &err);
}

struct pull *
pull_start(struct host *h, const struct image *image, void (*cb)(const struct fl_err *err, void *arg), void *arg)
{
	static const struct engine_call call = { .method = "POST", .timeout_ms = -1, .idle_timeout_ms = SILENCE_MS, .on_data = on_report };
	struct pull *p = fl_xcalloc(1, sizeof(*p));
	char *name = fl_url_encode(image->name), *tag = fl_url_encode(image->digest != NULL ? image->digest : image->tag);

	*p = (struct pull){ .host = h, .cb = cb, .arg = arg };
	p->ref = image->digest != NULL ? fl_xasprintf("%s@%s", image->name, image->digest) : fl_xasprintf("%s:%s", image->name, image->tag);
	p->call = engine_start(h->engine, &call, on_done, p, "/images/create?fromImage=%s&tag=%s", name, tag);
	free(name);
	free(tag);
	return p;
}
