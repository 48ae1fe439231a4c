#include "host/feed.h"

#include <stdlib.h>

#include "host/job.h"
#include "libflynn/buf.h"
#include "libflynn/http_server.h"
#include "libflynn/json.h"
#include "libflynn/list.h"
#include "libflynn/xmalloc.h"

struct follower {
	LIST_ENTRY(follower) link;
	struct feed *feed;
	struct fl_http_req *req;
};

struct feed {
	struct host *host;
	LIST_HEAD(, follower) followers;
	size_t n;
};

struct feed *
feed_new(struct host *h)
{
	struct feed *f = fl_xcalloc(1, sizeof(*f));

	f->host = h;
	LIST_INIT(&f->followers);
	return f;
}

void
feed_free(struct feed *f)
{
	struct follower *follower, *next;

	if (f == NULL)
		return;
	LIST_FOREACH_SAFE (follower, &f->followers, link, next)
		free(follower);
	free(f);
}

size_t
feed_count(const struct feed *f)
{
	return f->n;
}

void
feed_write_jobs(const struct host *h, struct fl_buf *out)
{
	struct fl_jsonw w = fl_jsonw(out);
	struct fl_buf active = { 0 };
	const struct job *j;

	fl_jsonw_open(&w, NULL, '{');
	TAILQ_FOREACH (j, &h->jobs, link) {
		fl_buf_clear(&active);
		fl_active_job_write(j->active, &active);
		fl_jsonw_raw(&w, job_id(j), fl_buf_cstr(&active));
	}
	fl_jsonw_close(&w, '}');
	fl_buf_release(&active);
}

static void
on_gone(FL_UNUSED struct fl_http_req *req, void *arg)
{
	struct follower *follower = arg;

	follower->feed->n--;
	LIST_REMOVE(follower, link);
	free(follower);
}

void
feed_subscribe(struct feed *f, struct fl_http_req *req)
{
	struct follower *follower = fl_xcalloc(1, sizeof(*follower));
	struct fl_buf text = { 0 };

	follower->feed = f;
	follower->req = req;
	LIST_INSERT_HEAD(&f->followers, follower, link);
	f->n++;
	fl_http_on_close(req, on_gone, follower);
	fl_http_sse_start(req);
	fl_buf_addstr(&text, "{\"event\":\"current\",\"jobs\":");
	feed_write_jobs(f->host, &text);
	fl_buf_addc(&text, '}');
	fl_http_sse_send(req, NULL, NULL, fl_buf_cstr(&text));
	fl_buf_release(&text);
}

void
feed_send(struct feed *f, const char *kind, const struct job *j)
{
	struct follower *follower, *next;
	struct fl_buf active = { 0 }, text = { 0 };
	struct fl_jsonw w = fl_jsonw(&text);

	fl_active_job_write(j->active, &active);
	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_str(&w, "event", kind);
	fl_jsonw_str(&w, "job_id", job_id(j));
	fl_jsonw_raw(&w, "job", fl_buf_cstr(&active));
	fl_jsonw_close(&w, '}');
	LIST_FOREACH_SAFE (follower, &f->followers, link, next)
		fl_http_sse_send(follower->req, NULL, NULL, fl_buf_cstr(&text));
	fl_buf_release(&active);
	fl_buf_release(&text);
}
