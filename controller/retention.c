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
#define BATCH 1000
#define LIMIT "LIMIT 1000"

/*
 * A batch of each kind at a time: what a busy month has left is more than one statement can remove before its time is over, and
 * then it would never be. Events have their numbers in the order of their times, so that the oldest are found by those.
 */
static const char *const statements[] = {
	"DELETE FROM job_events WHERE event_id IN (SELECT event_id FROM job_events ORDER BY event_id " LIMIT ")"
	" AND created_at < now() - " KEEP,
	"DELETE FROM events WHERE event_id IN (SELECT event_id FROM events ORDER BY event_id " LIMIT ") AND created_at < now() - " KEEP,
	"DELETE FROM answered WHERE key IN (SELECT key FROM answered WHERE created_at < now() - interval '1 day' " LIMIT ")",
	"DELETE FROM scale_requests WHERE scale_request_id IN"
	" (SELECT scale_request_id FROM scale_requests WHERE updated_at < now() - " KEEP " " LIMIT ")",
	/* Nobody records how the jobs of an app end that is deleted. */
	"DELETE FROM jobs WHERE job_id IN (SELECT j.job_id FROM jobs j JOIN apps a USING (app_id) WHERE j.updated_at < now() - " KEEP
	" AND (j.state IN ('down', 'crashed', 'failed') OR a.deleted_at < now() - " KEEP ") " LIMIT ")",
};

struct retention {
	struct controller *c;
	struct event *timer;
	size_t at; /* the statement under way; all of them: none is */
};

static void retention_next(struct retention *r);

static void
on_forgotten(const PGresult *res, const struct fl_err *err, void *arg)
{
	struct retention *r = arg;

	if (err != NULL)
		fl_log_warn("what is old was not forgotten", fl_str("err", err->msg));
	if (err != NULL || atoi(PQcmdTuples((PGresult *)res)) < BATCH)
		r->at++;
	retention_next(r);
}

static void
retention_next(struct retention *r)
{
	if (r->at < fl_nitems(statements))
		fl_pg_query(r->c->pg, statements[r->at], NULL, 0, on_forgotten, r);
}

static void
on_timer(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct retention *r = arg;

	if (r->at < fl_nitems(statements))
		return;
	r->at = 0;
	retention_next(r);
}

struct retention *
retention_start(struct controller *c)
{
	static const struct timeval every = { EVERY_S, 0 };
	struct retention *r = fl_xcalloc(1, sizeof(*r));

	r->c = c;
	r->timer = event_new(c->base, -1, EV_PERSIST, on_timer, r);
	event_add(r->timer, &every);
	retention_next(r);
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
