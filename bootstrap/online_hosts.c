#include <event2/event.h>
#include <stdlib.h>

#include "bootstrap/bootstrap.h"
#include "bootstrap/online_hosts.h"
#include "libflynn/attr.h"
#include "libflynn/discoverd.h"
#include "libflynn/err.h"
#include "libflynn/xmalloc.h"

#define WAIT_S 30

struct hosts_wait {
	struct bootstrap *bootstrap;
	struct fl_discoverd_service *hosts;
	struct event *deadline;
	size_t min;
	void (*on_done)(const struct fl_err *err, void *arg);
};

static void
hosts_wait_end(struct hosts_wait *w, const struct fl_err *err)
{
	void (*on_done)(const struct fl_err *, void *) = w->on_done;

	w->on_done = NULL;
	event_del(w->deadline);
	if (on_done != NULL)
		on_done(err, w->bootstrap);
}

static void
on_change(struct fl_discoverd_service *s, void *arg)
{
	struct hosts_wait *w = arg;

	if (fl_discoverd_service_count(s) >= w->min)
		hosts_wait_end(w, NULL);
}

static void
on_deadline(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct hosts_wait *w = arg;
	struct fl_err err;

	fl_err_set(&err, FL_ERR_TIMEOUT, "%zu of %zu hosts registered in discoverd within %d s: start flynn/host on the others, or lower -min-hosts",
	    fl_discoverd_service_count(w->hosts), w->min, WAIT_S);
	hosts_wait_end(w, &err);
}

struct hosts_wait *
hosts_wait_start(struct bootstrap *b, int min, void (*on_done)(const struct fl_err *err, void *arg))
{
	struct hosts_wait *w = fl_xcalloc(1, sizeof(*w));
	struct timeval tv = { WAIT_S, 0 };

	w->bootstrap = b;
	w->min = (size_t)min;
	w->on_done = on_done;
	w->deadline = evtimer_new(b->base, on_deadline, w);
	evtimer_add(w->deadline, &tv);
	w->hosts = fl_discoverd_watch(b->discoverd, "flynn-host", on_change, w);
	return w;
}

void
hosts_wait_free(struct hosts_wait *w)
{
	if (w == NULL)
		return;
	fl_discoverd_unwatch(w->hosts);
	event_free(w->deadline);
	free(w);
}
