#include "pull.h"

#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "image.h"
#include "job.h"
#include "libflynn/err.h"
#include "libflynn/json.h"
#include "libflynn/url.h"
#include "libflynn/xmalloc.h"

#define SILENCE_MS 60000

struct pull {
	struct job *job;
	struct fl_http_call *call;
	char *ref;
	void (*cb)(struct job *, const struct fl_err *);
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

void
pull_cancel(struct pull *p)
{
	if (p == NULL)
		return;
	if (p->call != NULL)
		fl_http_call_cancel(p->call);
	free(p->ref);
	free(p);
}

static void
on_done(const struct fl_http_result *res, const struct fl_err *call_err, void *arg)
{
	struct pull *p = arg;
	struct job *j = p->job;
	void (*cb)(struct job *, const struct fl_err *) = p->cb;
	struct fl_err err = { 0 }, why = { 0 };
	char *complaint = NULL;

	p->call = NULL;
	j->pull = NULL;
	if (engine_check(j->host->engine, res, call_err, "pull", &why) == -1)
		complaint = fl_xstrdup(why.msg);
	else
		complaint = pull_complaint(res->body);
	if (complaint != NULL)
		fl_err_set(&err, why.kind == FL_ERR_UNAVAILABLE ? FL_ERR_UNAVAILABLE : FL_ERR_NOT_FOUND,
		    "image %s is not on this host and cannot be pulled: build it with make images, or push it to a registry this host can reach (%s)",
		    p->ref, complaint);
	pull_cancel(p);
	cb(j, complaint != NULL ? &err : NULL);
	free(complaint);
}

struct pull *
pull_start(struct job *j, const struct image *image, void (*cb)(struct job *, const struct fl_err *))
{
	static const struct engine_call call = { .method = "POST", .timeout_ms = -1, .idle_timeout_ms = SILENCE_MS };
	struct pull *p = fl_xcalloc(1, sizeof(*p));
	char *name = fl_url_encode(image->name), *tag = fl_url_encode(image->tag);

	*p = (struct pull){ .job = j, .ref = fl_xstrdup(image->ref), .cb = cb };
	p->call = engine_start(j->host->engine, &call, on_done, p, "/images/create?fromImage=%s&tag=%s", name, tag);
	free(name);
	free(tag);
	return p;
}
