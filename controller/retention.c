#include "controller/retention.h"

#include <event2/event.h>
#include <stdlib.h>

#include "controller/controller.h"
#include "libflynn/attr.h"
#include "libflynn/err.h"
#include "libflynn/log.h"
#include "libflynn/pg.h"
#include "libflynn/xmalloc.h"

#define EVERY_S 3600
#define KEEP "interval '30 days'"

static const char *const statements[] = {
	"DELETE FROM job_events WHERE created_at < now() - " KEEP,
	"DELETE FROM events WHERE created_at < now() - " KEEP,
	"DELETE FROM answered WHERE created_at < now() - interval '1 day'",
	"DELETE FROM scale_requests WHERE updated_at < now() - " KEEP,
	"DELETE FROM jobs WHERE updated_at < now() - " KEEP " AND state IN ('down', 'crashed', 'failed')",
};

struct retention {
	struct controller *c;
	struct event *timer;
};

static void
on_forgotten(FL_UNUSED const PGresult *res, const struct fl_err *err, FL_UNUSED void *arg)
{
	if (err != NULL)
		fl_log_warn("old jobs were not forgotten", fl_str("err", err->msg));
}

static void
on_timer(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct retention *r = arg;

	for (size_t i = 0; i < fl_nitems(statements); i++)
		fl_pg_query(r->c->pg, statements[i], NULL, 0, on_forgotten, NULL);
}

struct retention *
retention_start(struct controller *c)
{
	static const struct timeval every = { EVERY_S, 0 };
	struct retention *r = fl_xcalloc(1, sizeof(*r));

	r->c = c;
	r->timer = event_new(c->base, -1, EV_PERSIST, on_timer, r);
	event_add(r->timer, &every);
	return r;
}

void
retention_free(struct retention *r)
{
	if (r == NULL)
		return;
	event_free(r->timer);
	free(r);
}
