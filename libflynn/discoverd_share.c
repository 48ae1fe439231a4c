/*
 * discoverd_share - all services followed by one stream: who watches a thousand need not hold a thousand
 * connections.
 *
 * A new stream draws a picture of everything beside the one that is shown, which it replaces at "current". Who
 * begins to watch a service that is not in the picture asks for it alone first: an instance that was registered
 * just before may not have come by the shared stream yet. A discoverd from before such streams says 404: each
 * watch has a stream of its own, then.
 */
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "libflynn/attr.h"
#include "libflynn/discoverd_internal.h"
#include "libflynn/err.h"
#include "libflynn/json.h"
#include "libflynn/log.h"
#include "libflynn/map.h"
#include "libflynn/sse_client.h"
#include "libflynn/xmalloc.h"

static void
picture_free(void *arg)
{
	picture_release(arg);
	free(arg);
}

static void
pictures_free(struct fl_map **pictures)
{
	fl_map_free_with(*pictures, picture_free);
	*pictures = NULL;
}

struct picture *
share_picture(struct fl_map *pictures, const char *name)
{
	struct picture *p = fl_map_get(pictures, name);

	if (p == NULL) {
		p = fl_xcalloc(1, sizeof(*p));
		fl_map_set(pictures, name, p);
	}
	return p;
}

static void
end_own_stream(struct fl_discoverd_service *s)
{
	fl_sse_client_free(s->sse);
	s->sse = NULL;
	picture_release(&s->shown);
	picture_release(&s->drawn);
}

/* on_change is called from the loop: whatever it does, nothing of ours is on the stack. */
static void
announce(struct fl_discoverd_service *s)
{
	struct share *share = &s->d->share;

	if (s->has_news)
		return;
	s->has_news = true;
	TAILQ_INSERT_TAIL(&share->news, s, news_link);
	event_active(share->tell, EV_TIMEOUT, 0);
}

void
share_announce(struct fl_discoverd *d, const char *name)
{
	for (struct fl_discoverd_service *s = fl_map_get(d->by_name, name); s != NULL; s = s->same)
		if (s->sse == NULL)
			announce(s);
}

static void
on_doubt_over(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	doubt_end(arg);
}

static void
on_tell(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct fl_discoverd *d = arg;
	struct fl_discoverd_service *s;

	while ((s = TAILQ_FIRST(&d->share.news)) != NULL) {
		share_leave(s);
		s->known = true;
		if (s->on_change != NULL)
			s->on_change(s, s->arg); /* last: it may unwatch */
	}
}

static char *
services_url(void *arg)
{
	const struct fl_discoverd *d = arg;

	return fl_xasprintf("%s/services", d->urls[d->share.at]);
}

static void
on_open(void *arg)
{
	struct fl_discoverd *d = arg;

	pictures_free(&d->share.drawn);
	d->share.drawn = fl_map_new();
}

static void
on_current(struct fl_discoverd *d)
{
	struct fl_discoverd_service *s;

	doubt_carry(d);
	pictures_free(&d->share.shown);
	d->share.shown = d->share.drawn;
	d->share.drawn = NULL;
	d->share.is_known = d->share.is_current = true;
	TAILQ_FOREACH(s, &d->services, link) {
		end_own_stream(s);
		announce(s);
	}
}

static void
on_change(struct fl_discoverd *d, const char *name, const char *kind, const struct fl_json *instance)
{
	struct fl_map *pictures = d->share.drawn != NULL ? d->share.drawn : d->share.shown;

	if (!picture_apply(share_picture(pictures, name), kind, instance) || d->share.drawn != NULL)
		return;
	for (struct fl_discoverd_service *s = fl_map_get(d->by_name, name); s != NULL; s = s->same)
		s->overtaken = true;
	share_announce(d, name);
}

static void
on_event(FL_UNUSED const char *event, FL_UNUSED const char *id, const char *data, size_t len, void *arg)
{
	struct fl_discoverd *d = arg;
	struct fl_json *v = fl_json_parse(data, len, NULL);
	const char *kind = fl_json_text(v, "kind"), *name = fl_json_text(v, "service");

	if (*name != '\0')
		on_change(d, name, kind, fl_json_get(v, "instance"));
	else if (strcmp(kind, "current") == 0 && d->share.drawn != NULL)
		on_current(d);
	fl_json_free(v);
}

/* Let each service be followed on its own. */
static void
give_up(struct fl_discoverd *d)
{
	struct fl_discoverd_service *s;

	fl_log_debug("discoverd has no stream of all services");
	fl_sse_client_free(d->share.sse);
	d->share.sse = NULL;
	TAILQ_FOREACH(s, &d->services, link) {
		share_leave(s);
		if (s->sse == NULL)
			watch_start(s);
	}
}

static void
on_error(const struct fl_err *err, void *arg)
{
	struct fl_discoverd *d = arg;

	fl_log_debug("discoverd's stream broke", fl_str("err", err->msg));
	pictures_free(&d->share.drawn);
	d->share.is_current = false;
	if (err->kind == FL_ERR_NOT_FOUND && !d->share.is_known)
		give_up(d);
	else
		d->share.at = (d->share.at + 1) % d->n_urls;
}

void
fl_discoverd_share(struct fl_discoverd *d)
{
	static const struct fl_sse_client_ops ops = { services_url, on_open, on_event, on_error, NULL };

	d->share.shown = fl_map_new();
	TAILQ_INIT(&d->share.news);
	d->share.tell = event_new(d->base, -1, 0, on_tell, d);
	d->share.doubt = evtimer_new(d->base, on_doubt_over, d);
	if (d->share.tell == NULL || d->share.doubt == NULL)
		abort();
	d->share.sse = fl_sse_client_start(d->http, &ops, d);
}

bool
share_is_on(const struct fl_discoverd *d)
{
	return d->share.sse != NULL;
}

void
share_release(struct fl_discoverd *d)
{
	fl_sse_client_free(d->share.sse);
	pictures_free(&d->share.shown);
	pictures_free(&d->share.drawn);
	if (d->share.tell != NULL)
		event_free(d->share.tell);
	if (d->share.doubt != NULL)
		event_free(d->share.doubt);
}

void
share_join(struct fl_discoverd_service *s, bool asks)
{
	const struct picture *p = share_find(s->d, s->name);

	if ((p != NULL && p->n > 0) || (!asks && s->d->share.is_known))
		announce(s);
	else if (s->d->share.is_current)
		watch_start(s);
}

void
share_fold(struct fl_discoverd_service *s)
{
	struct picture *p;

	if (!s->d->share.is_current)
		return;
	if (s->overtaken) {
		fl_sse_client_restart(s->sse);
		return;
	}
	p = share_picture(s->d->share.shown, s->name);
	picture_release(p);
	*p = s->shown;
	s->shown = (struct picture){ 0 };
	end_own_stream(s);
}

void
share_leave(struct fl_discoverd_service *s)
{
	if (s->has_news)
		TAILQ_REMOVE(&s->d->share.news, s, news_link);
	s->has_news = false;
}

const struct picture *
share_find(const struct fl_discoverd *d, const char *name)
{
	return fl_map_get(d->share.shown, name);
}
