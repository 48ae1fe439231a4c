#include "host/wipe.h"

#include <stdbool.h>
#include <stdlib.h>

#include "host/engine.h"
#include "host/feed.h"
#include "host/host.h"
#include "host/job.h"
#include "host/state.h"
#include "host/volume.h"
#include "libflynn/err.h"
#include "libflynn/http_client.h"
#include "libflynn/json.h"
#include "libflynn/list.h"
#include "libflynn/url.h"
#include "libflynn/xmalloc.h"

#define ROUNDS 5

/* One removal under way. */
struct removal {
	LIST_ENTRY(removal) link;
	struct wipe *wipe;
	struct fl_http_call *call;
};

struct wipe {
	struct host *host;
	struct fl_http_call *call;
	LIST_HEAD(, removal) removals;
	bool volumes; /* containers first: they hold their volumes */
	int round;
	struct fl_err err; /* of the last removal that failed */
	void (*cb)(const struct fl_err *, void *);
	void *arg;
};

static void wipe_list(struct wipe *w);

void
wipe_cancel(struct wipe *w)
{
	struct removal *r, *next;

	if (w == NULL)
		return;
	if (w->call != NULL)
		fl_http_call_cancel(w->call);
	LIST_FOREACH_SAFE (r, &w->removals, link, next) {
		fl_http_call_cancel(r->call);
		free(r);
	}
	free(w);
}

static void
wipe_end(struct wipe *w, const struct fl_err *err)
{
	struct fl_err copy = err != NULL ? *err : (struct fl_err){ 0 };
	void (*cb)(const struct fl_err *, void *) = w->cb;
	void *arg = w->arg;

	wipe_cancel(w);
	cb(copy.kind != FL_ERR_NONE ? &copy : NULL, arg);
}

static void
on_removed(const struct fl_http_result *res, const struct fl_err *call_err, void *arg)
{
	struct removal *r = arg;
	struct wipe *w = r->wipe;
	struct fl_err err = { 0 };

	if (engine_check(w->host->engine, res, call_err, "remove what the last cluster left", &err) == -1 && err.kind != FL_ERR_NOT_FOUND)
		w->err = err;
	LIST_REMOVE(r, link);
	free(r);
	if (LIST_EMPTY(&w->removals))
		wipe_list(w); /* to see that nothing is left */
}

static void
wipe_remove(struct wipe *w, const struct fl_json *item)
{
	static const struct engine_call call = { .method = "DELETE" };
	const char *name = fl_json_text(item, w->volumes ? "Name" : "Id");
	struct removal *r = fl_xcalloc(1, sizeof(*r));
	char *encoded = fl_url_encode(name);

	r->wipe = w;
	LIST_INSERT_HEAD(&w->removals, r, link);
	r->call = engine_start(w->host->engine, &call, on_removed, r, w->volumes ? "/volumes/%s?force=1" : "/containers/%s?force=1&v=1",
	    encoded);
	free(encoded);
}

static void
on_listed(const struct fl_http_result *res, const struct fl_err *call_err, void *arg)
{
	struct wipe *w = arg;
	struct fl_json *v = NULL;
	const struct fl_json *items = NULL;
	struct fl_err err = { 0 };
	bool is_stuck;

	w->call = NULL;
	if (engine_check(w->host->engine, res, call_err, "list what the last cluster left", &err) == -1 ||
	    (v = engine_parse(res, &err)) == NULL) {
		wipe_end(w, &err);
		return;
	}
	items = w->volumes ? fl_json_get(v, "Volumes") : v;
	/* An engine that was killed may list what it does not have: if nothing was refused, that is what is left. */
	is_stuck = fl_json_len(items) > 0 && w->round++ >= ROUNDS;
	if (is_stuck && w->err.kind != FL_ERR_NONE) {
		wipe_end(w, &w->err);
	} else if (fl_json_len(items) > 0 && !is_stuck) {
		for (size_t i = 0; i < fl_json_len(items); i++)
			wipe_remove(w, fl_json_at(items, i));
	} else if (!w->volumes) {
		w->volumes = true;
		w->round = 0;
		wipe_list(w);
	} else {
		wipe_end(w, NULL);
	}
	fl_json_free(v);
}

static void
wipe_list(struct wipe *w)
{
	char *filter = volume_filter(w->host);

	w->call = engine_start(w->host->engine, &engine_get_containers, on_listed, w,
	    w->volumes ? "/volumes?filters=%s" : "/containers/json?all=1&filters=%s", filter);
	free(filter);
}

struct wipe *
wipe_start(struct host *h, void (*cb)(const struct fl_err *, void *), void *arg)
{
	struct wipe *w = fl_xcalloc(1, sizeof(*w));
	struct job *j, *next;

	*w = (struct wipe){ .host = h, .cb = cb, .arg = arg };
	LIST_INIT(&w->removals);
	TAILQ_FOREACH_SAFE (j, &h->jobs, link, next) {
		feed_send(h->feed, "cleanup", j);
		job_free(j);
	}
	host_change_key(h);
	state_touch(h->state);
	wipe_list(w);
	return w;
}
