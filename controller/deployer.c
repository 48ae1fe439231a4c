#include "controller/deployer.h"

#include <event2/event.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "controller/controller.h"
#include "controller/deploy.h"
#include "controller/deployments.h"
#include "controller/release_phase.h"
#include "controller/row.h"
#include "libflynn/attr.h"
#include "libflynn/err.h"
#include "libflynn/list.h"
#include "libflynn/log.h"
#include "libflynn/pg.h"
#include "libflynn/uuid.h"
#include "libflynn/xmalloc.h"

/* A lease outlives two renewals that fail. */
#define RENEW_S 3
#define LEASE "interval '10 s'"

struct deployer {
	struct controller *c;
	char owner[FL_UUID_LEN + 1];
	struct deploys deploys; /* those that are ours */
	struct event *renew; /* while a deployment is open, ours or another's */
	bool busy, dirty;
	bool stopped; /* claims nothing more */
	void (*on_stopped)(void *arg);
	void *stopped_arg;
};

static void deployer_claim(struct deployer *d);

/* The oldest open one of each app is ours if it was, or if nobody's lease is on it. A row without ids tells how many are open. */
static const char claim_sql[] =
    "WITH next AS (SELECT DISTINCT ON (app_id) deployment_id FROM deployments WHERE finished_at IS NULL"
    "  ORDER BY app_id, created_at, deployment_id),"
    " mine AS (UPDATE deployments d SET owner = $1, lease_until = clock_timestamp() + " LEASE ", status = 'running' FROM next"
    "  WHERE d.deployment_id = next.deployment_id AND d.finished_at IS NULL"
    "   AND (d.owner = $1 OR d.owner IS NULL OR d.lease_until < clock_timestamp())"
    "  RETURNING d.deployment_id, d.app_id, d.begun_at IS NOT NULL AS begun)"
    " SELECT (SELECT count(*) FROM deployments WHERE finished_at IS NULL), m.deployment_id, m.app_id, m.begun"
    " FROM (SELECT 1) one LEFT JOIN mine m ON true";

static struct deploy *
deployer_find(const struct deployer *d, const char *id)
{
	struct deploy *p;

	LIST_FOREACH(p, &d->deploys, link)
		if (strcmp(p->id, id) == 0)
			return p;
	return NULL;
}

static void
deployer_own(struct deployer *d, const PGresult *res, int row)
{
	char id[FL_UUID_LEN + 1], app[FL_UUID_LEN + 1];
	struct deploy *p;

	if (row_is_null(res, row, 1))
		return;
	row_get_id(res, row, 1, id);
	row_get_id(res, row, 2, app);
	if ((p = deployer_find(d, id)) == NULL) {
		p = deploy_new(&d->deploys, d->c, d->owner, id, app);
		fl_log_info(row_bool(res, row, 3) ? "deployment taken over" : "deployment begins", fl_str("deployment", p->id), fl_str("app", p->app));
	}
	deploy_look(p);
}

static void
on_claimed(const PGresult *res, const struct fl_err *err, void *arg)
{
	static const struct timeval renew = { .tv_sec = RENEW_S };
	struct deployer *d = arg;

	d->busy = false;
	for (int i = 0; err == NULL && i < PQntuples(res); i++)
		deployer_own(d, res, i);
	if (err != NULL || fl_pg_int(res, 0, 0, 0) > 0)
		evtimer_add(d->renew, &renew);
	if (d->dirty)
		deployer_claim(d);
}

static void
deployer_claim(struct deployer *d)
{
	d->dirty = d->busy && !d->stopped;
	if (d->busy || d->stopped)
		return;
	d->busy = true;
	fl_pg_query(d->c->pg, claim_sql, (const char *[]){ d->owner }, 1, on_claimed, d);
}

static void
on_renew(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	deployer_claim(arg);
}

/* payload is a deployment's id; NULL: the connection is a new one. */
static void
on_notify(const char *payload, void *arg)
{
	struct deployer *d = arg;
	char id[FL_UUID_LEN + 1];
	struct deploy *p;

	if (payload != NULL && !fl_uuid_parse(payload, id))
		return;
	if (payload == NULL) /* what was cancelled while nobody looked */
		release_phase_sweep(d->c);
	deployments_changed(d->c->deployments, payload != NULL ? id : NULL);
	/* It may have been given up. */
	if (payload != NULL && (p = deployer_find(d, id)) != NULL)
		deploy_look(p);
	deployer_claim(d);
}

/*
 * Our job's id, so that after a death what was ours is ours at once: host starts the same job again, and never two of it.
 * Any other when we are no job.
 */
static void
set_owner(struct deployer *d)
{
	const char *job = getenv("FLYNN_JOB_ID"), *dash = job != NULL ? strchr(job, '-') : NULL;

	if (dash == NULL || !fl_uuid_parse(dash + 1, d->owner))
		fl_uuid_new(d->owner);
}

struct deployer *
deployer_start(struct controller *c)
{
	struct deployer *d = fl_xcalloc(1, sizeof(*d));

	d->c = c;
	LIST_INIT(&d->deploys);
	set_owner(d);
	d->renew = evtimer_new(c->base, on_renew, d);
	fl_pg_listen(c->pg, "deployments", on_notify, d);
	return d;
}

static void
on_given_away(FL_UNUSED const PGresult *res, const struct fl_err *err, void *arg)
{
	struct deployer *d = arg;

	if (err != NULL)
		fl_log_warn("deployments wait for the end of our lease", fl_str("err", err->msg));
	d->on_stopped(d->stopped_arg);
}

void
deployer_stop(struct deployer *d, void (*cb)(void *arg), void *arg)
{
	d->stopped = true;
	d->on_stopped = cb;
	d->stopped_arg = arg;
	fl_pg_query(d->c->pg, "UPDATE deployments SET lease_until = clock_timestamp() WHERE owner = $1 AND finished_at IS NULL",
	    (const char *[]){ d->owner }, 1, on_given_away, d);
}

void
deployer_free(struct deployer *d)
{
	struct deploy *p, *next;

	if (d == NULL)
		return;
	LIST_FOREACH_SAFE(p, &d->deploys, link, next)
		deploy_free(p);
	event_free(d->renew);
	free(d);
}

void
deployer_job_changed(struct deployer *d, const char *app_id)
{
	struct deploy *p;

	if (d == NULL)
		return;
	LIST_FOREACH(p, &d->deploys, link)
		if (app_id == NULL || strcmp(p->app, app_id) == 0)
			deploy_look(p);
}
