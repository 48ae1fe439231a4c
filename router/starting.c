#include "router/starting.h"

#include <event2/event.h>
#include <stdlib.h>

#include "libflynn/attr.h"
#include "libflynn/discoverd.h"
#include "libflynn/xmalloc.h"

struct starting {
	struct fl_discoverd_service *watch;
	struct event *grace; /* pending: there is hope for whatever reason */
	size_t n;	     /* that start */
	bool is_known;	     /* discoverd has answered */
	bool was_lost;	     /* or one was starting: what discoverd answers does not end the grace */
	bool is_hopeful;
	void (*on_change)(void *arg);
	void *arg;
};

static void
judge(struct starting *s)
{
	bool is_graced = evtimer_pending(s->grace, NULL) && (s->was_lost || !s->is_known);
	bool is_hopeful = is_graced || s->n > 0;

	if (is_hopeful == s->is_hopeful)
		return;
	s->is_hopeful = is_hopeful;
	s->on_change(s->arg); /* last: it may free us */
}

static void
begin_grace(struct starting *s)
{
	static const struct timeval grace = { STARTING_GRACE_MS / 1000, STARTING_GRACE_MS % 1000 * 1000 };

	evtimer_add(s->grace, &grace);
}

static void
on_grace_over(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	judge(arg);
}

static void
on_watched(struct fl_discoverd_service *service, void *arg)
{
	struct starting *s = arg;

	size_t n = fl_discoverd_service_count(service);

	s->is_known = true;
	if (n == 0 && s->n > 0) {
		s->was_lost = true;
		begin_grace(s);
	}
	s->n = n;
	judge(s);
}

struct starting *
starting_new(struct event_base *base, struct fl_discoverd *d, const char *service, bool was_lost,
    void (*on_change)(void *arg), void *arg)
{
	struct starting *s = fl_xcalloc(1, sizeof(*s));
	char *name = fl_xasprintf("%s%s", service, FL_DISCOVERD_STARTING);

	s->was_lost = was_lost;
	s->is_hopeful = true;
	s->on_change = on_change;
	s->arg = arg;
	s->grace = evtimer_new(base, on_grace_over, s);
	begin_grace(s);
	s->watch = fl_discoverd_watch_shared(d, name, on_watched, s);
	free(name);
	return s;
}

void
starting_free(struct starting *s)
{
	if (s == NULL)
		return;
	fl_discoverd_unwatch(s->watch);
	event_free(s->grace);
	free(s);
}

bool
starting_is_hopeful(const struct starting *s)
{
	return s != NULL && s->is_hopeful;
}
