#include "controller/deploy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/controller.h"
#include "controller/deploy_decide.h"
#include "controller/deployments.h"
#include "controller/process_type.h"
#include "controller/release_phase.h"
#include "controller/row.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/job.h"
#include "libflynn/json.h"
#include "libflynn/log.h"
#include "libflynn/pg.h"
#include "libflynn/xmalloc.h"

/* A release phase may migrate a database. */
#define PHASE_S 1800

struct deploy *
deploy_new(struct deploys *list, struct controller *c, const char *owner, const char *id, const char *app)
{
	struct deploy *p = fl_xcalloc(1, sizeof(*p));

	*p = (struct deploy){ .c = c, .owner = owner };
	memcpy(p->id, id, sizeof(p->id));
	memcpy(p->app, app, sizeof(p->app));
	LIST_INSERT_HEAD(list, p, link);
	return p;
}

void
deploy_free(struct deploy *p)
{
	LIST_REMOVE(p, link);
	release_phase_free(p->phase);
	free(p);
}

/* Nothing more is to be done for it here. */
static void
deploy_leave(struct deploy *p)
{
	if (p->phase_sent)
		release_phase_sweep(p->c);
	deploy_free(p);
}

/* A statement of p has ended. False: p is gone. */
static bool
deploy_done_waiting(struct deploy *p, const struct fl_err *err, const char *what)
{
	p->busy = false;
	if (err != NULL)
		fl_log_warn("a deployment waits", fl_str("deployment", p->id), fl_str("step", what),
		    fl_str("err", err->msg));
	if (!p->lost)
		return true;
	deploy_leave(p);
	return false;
}

static void
on_step(FL_UNUSED const PGresult *res, const struct fl_err *err, void *arg)
{
	struct deploy *p = arg;

	/* What the step asked for comes as events; after an error the next renewal looks again. */
	if (deploy_done_waiting(p, err, "step") && p->dirty && err == NULL)
		deploy_look(p);
}

static void
deploy_step(struct deploy *p, const char *sql, const char *third, const char *fourth)
{
	const char *params[] = { p->id, p->owner, third, fourth };

	p->busy = true; /* what has happened since the look that it follows from is looked at behind it */
	fl_pg_query(p->c->pg, sql, params, 2 + (third != NULL) + (fourth != NULL), on_step, p);
}

static void
deploy_give_up(struct deploy *p, const char *why)
{
	fl_log_info("deployment failed", fl_str("deployment", p->id), fl_str("app", p->app), fl_str("err", why));
	p->busy = true;
	p->lost = true;
	fl_pg_query(p->c->pg, deployments_give_up_sql, (const char *[]){ p->id, "failed", why, p->owner }, 4,
	    on_step, p);
}

/* What runs of the app now is what the release replaces: its formation, that of the app's release before others. */
static const char begin_sql[] =
    "UPDATE deployments d SET begun_at = clock_timestamp(), step_at = clock_timestamp(),"
    "  old_release_id = coalesce(f.release_id, a.release_id), old_processes = coalesce(f.processes, '{}'),"
    "  processes = coalesce(d.processes, (SELECT coalesce(json_object_agg(p.key, p.value), '{}')"
    "   FROM json_each(coalesce(f.processes, '{}')) p WHERE r.processes -> p.key IS NOT NULL))"
    " FROM releases r, apps a LEFT JOIN LATERAL (SELECT o.release_id, o.processes FROM formations o"
    "   WHERE o.app_id = a.app_id AND o.deleted_at IS NULL"
    "   ORDER BY o.release_id = a.release_id DESC NULLS LAST, o.created_at DESC LIMIT 1) f ON true"
    " WHERE d.deployment_id = $1 AND d.owner = $2 AND d.begun_at IS NULL AND d.finished_at IS NULL"
    "  AND a.app_id = d.app_id AND r.release_id = d.new_release_id";

static const char scale_sql[] =
    DEPLOYMENTS_LOCK
    " d AS (UPDATE deployments t SET step_at = clock_timestamp() FROM a"
    "  WHERE t.deployment_id = $1 AND t.owner = $2 AND t.finished_at IS NULL AND a.deleted_at IS NULL RETURNING t.*),"
    " new AS (INSERT INTO formations (app_id, release_id, processes) SELECT app_id, new_release_id, $3 FROM d"
    "  ON CONFLICT (app_id, release_id) DO UPDATE"
    "   SET processes = excluded.processes, deleted_at = NULL, updated_at = clock_timestamp())"
    " UPDATE formations f SET processes = $4, updated_at = clock_timestamp() FROM d"
    " WHERE f.app_id = d.app_id AND f.release_id = d.old_release_id AND f.deleted_at IS NULL";

/* The app has the release already: its jobs become as many as are asked for. */
static const char rescale_sql[] =
    DEPLOYMENTS_LOCK
    " d AS (UPDATE deployments t SET step_at = clock_timestamp() FROM a"
    "  WHERE t.deployment_id = $1 AND t.owner = $2 AND t.finished_at IS NULL AND a.deleted_at IS NULL RETURNING t.*)"
    " INSERT INTO formations (app_id, release_id, processes) SELECT app_id, new_release_id, processes FROM d"
    "  ON CONFLICT (app_id, release_id) DO UPDATE"
    "   SET processes = excluded.processes, deleted_at = NULL, updated_at = clock_timestamp()";

static const char finish_sql[] =
    DEPLOYMENTS_LOCK
    " d AS (UPDATE deployments t SET status = 'complete', owner = NULL, lease_until = NULL, finished_at = clock_timestamp()"
    "  FROM a WHERE t.deployment_id = $1 AND t.owner = $2 AND t.finished_at IS NULL AND a.deleted_at IS NULL RETURNING t.*),"
    " set AS (UPDATE apps SET release_id = d.new_release_id, updated_at = clock_timestamp() FROM d WHERE apps.app_id = d.app_id)"
    " UPDATE formations f SET processes = NULL, deleted_at = clock_timestamp(), updated_at = clock_timestamp() FROM d"
    " WHERE f.app_id = d.app_id AND f.release_id <> d.new_release_id AND f.deleted_at IS NULL";

/* All that a decision needs, in one row. */
static const char look_sql[] =
    "SELECT d.strategy, d.timeout_s, extract(epoch FROM clock_timestamp() - d.step_at)::integer,"
    " d.processes, o.processes, n.processes, r.processes, a.deleted_at IS NOT NULL,"
    " CASE WHEN d.new_release_id IS DISTINCT FROM d.old_release_id THEN 'replaced'"
    "  WHEN counts(d.processes) = counts(d.old_processes) THEN 'there' WHEN counts(d.processes) = counts(n.processes) THEN 'scaled'"
    "  ELSE 'to scale' END,"
    " (SELECT json_agg(j) FROM (SELECT release_id = d.new_release_id AS new, type, state = 'up' AS up, count(*) AS n FROM jobs"
    "   WHERE app_id = d.app_id AND release_id IN (d.old_release_id, d.new_release_id) AND type NOT IN ('', '" FL_JOB_TYPE_RELEASE "')"
    "    AND state IN ('starting', 'up', 'stopping') GROUP BY 1, 2, 3) j),"
    " (SELECT coalesce(nullif(host_error, ''), type || ' exited with status ' || exit_status, type || ' failed') FROM jobs"
    "   WHERE app_id = d.app_id AND release_id = d.new_release_id AND state IN ('crashed', 'failed') AND type <> ''"
    "    AND updated_at >= d.begun_at ORDER BY updated_at LIMIT 1),"
    " r.processes -> '" FL_JOB_TYPE_RELEASE "' IS NOT NULL, d.release_job, l.state, l.exit_status, l.host_error,"
    " d.batch_size, d.base <> coalesce(hex(a.release_id), ''), hex(a.release_id)"
    " FROM deployments d JOIN apps a USING (app_id) JOIN releases r ON r.release_id = d.new_release_id"
    " LEFT JOIN formations o ON o.app_id = d.app_id AND o.release_id = d.old_release_id AND o.deleted_at IS NULL"
    "  AND d.old_release_id <> d.new_release_id"
    " LEFT JOIN jobs l ON l.job_id = d.release_job"
    " LEFT JOIN formations n ON n.app_id = d.app_id AND n.release_id = d.new_release_id AND n.deleted_at IS NULL"
    " WHERE d.deployment_id = $1 AND d.owner = $2 AND d.finished_at IS NULL";
enum { STRATEGY, TIMEOUT_S, WAITED_S, WANTED, OLD, NEW, TYPES, APP_IS_GONE, HOW, JOBS, FAILURE,
	HAS_PHASE, PHASE_JOB, PHASE_STATE, PHASE_STATUS, PHASE_ERROR,
	BATCH, IS_OVERTAKEN, CURRENT };

/* The documents of a row; types borrow their names from them. */
struct picture {
	struct fl_json *wanted, *old, *new, *types, *jobs;
	struct deploy_type *items;
	size_t n;
};

static struct deploy_type *
picture_type(struct picture *p, const char *name)
{
	for (size_t i = 0; i < p->n; i++)
		if (strcmp(p->items[i].name, name) == 0)
			return &p->items[i];
	p->items[p->n] = (struct deploy_type){
		.name = name,
		.want = (int)fl_json_int(fl_json_get(p->wanted, name), 0),
		.old_count = (int)fl_json_int(fl_json_get(p->old, name), 0),
		.new_count = (int)fl_json_int(fl_json_get(p->new, name), 0),
		.is_exclusive = process_type_is_exclusive(fl_json_get(p->types, name)),
	};
	return &p->items[p->n++];
}

static void
picture_count(struct picture *p, const struct fl_json *jobs)
{
	struct deploy_type *t = picture_type(p, fl_json_text(jobs, "type"));
	int n = (int)fl_json_int(fl_json_get(jobs, "n"), 0);

	if (!fl_json_bool(fl_json_get(jobs, "new"), false))
		t->old_live += n;
	else if (fl_json_bool(fl_json_get(jobs, "up"), false))
		t->new_up += n;
	else
		t->new_starting += n;
}

static void
picture_read(struct picture *p, const PGresult *res)
{
	*p = (struct picture){ .wanted = row_parse(res, 0, WANTED), .old = row_parse(res, 0, OLD), .new = row_parse(res, 0, NEW),
		.types = row_parse(res, 0, TYPES), .jobs = row_parse(res, 0, JOBS) };
	p->items = fl_xcalloc(fl_json_len(p->wanted) + fl_json_len(p->old) + fl_json_len(p->jobs) + 1, sizeof(*p->items));
	for (size_t i = 0; i < fl_json_len(p->wanted); i++)
		picture_type(p, fl_json_key_at(p->wanted, i));
	for (size_t i = 0; i < fl_json_len(p->old); i++)
		picture_type(p, fl_json_key_at(p->old, i));
	for (size_t i = 0; i < fl_json_len(p->jobs); i++)
		picture_count(p, fl_json_at(p->jobs, i));
}

static void
picture_release(struct picture *p)
{
	fl_json_free(p->wanted);
	fl_json_free(p->old);
	fl_json_free(p->new);
	fl_json_free(p->types);
	fl_json_free(p->jobs);
	free(p->items);
}

/* What the new release's health checks may take is not counted. */
static int
picture_patience_s(const struct picture *p)
{
	int longest = 0;

	for (size_t i = 0; i < p->n; i++) {
		int s = process_type_check_timeout_s(fl_json_get(p->types, p->items[i].name));

		longest = s > longest ? s : longest;
	}
	return longest;
}

static void
deploy_scale(struct deploy *p, const struct picture *pic)
{
	struct fl_buf new = { 0 }, old = { 0 };
	struct fl_jsonw wn = fl_jsonw(&new), wo = fl_jsonw(&old);

	fl_jsonw_open(&wn, NULL, '{');
	fl_jsonw_open(&wo, NULL, '{');
	for (size_t i = 0; i < pic->n; i++) {
		if (pic->items[i].new_count > 0)
			fl_jsonw_int(&wn, pic->items[i].name, pic->items[i].new_count);
		if (pic->items[i].old_count > 0)
			fl_jsonw_int(&wo, pic->items[i].name, pic->items[i].old_count);
	}
	fl_jsonw_close(&wn, '}');
	fl_jsonw_close(&wo, '}');
	deploy_step(p, scale_sql, fl_buf_cstr(&new), fl_buf_cstr(&old));
	fl_buf_release(&new);
	fl_buf_release(&old);
}

static void
deploy_finish(struct deploy *p)
{
	fl_log_info("deployment complete", fl_str("deployment", p->id), fl_str("app", p->app));
	p->lost = true;
	deploy_step(p, finish_sql, NULL, NULL);
}

static void
deploy_late(struct deploy *p, const struct picture *pic, long long waited_s)
{
	struct fl_buf why = { 0 };

	deploy_explain_wait(pic->items, pic->n, &why);
	fl_buf_addf(&why, " after %lld s; flynn ps -a and flynn log say more", waited_s);
	deploy_give_up(p, fl_buf_cstr(&why));
	fl_buf_release(&why);
}

static void
on_phase(bool is_sent, const struct fl_err *err, void *arg)
{
	struct deploy *p = arg;
	bool is_wrong = err != NULL && err->kind != FL_ERR_UNAVAILABLE && err->kind != FL_ERR_TIMEOUT;

	release_phase_free(p->phase);
	p->phase = NULL;
	p->phase_sent = is_sent && err == NULL;
	if (is_wrong && !p->lost) {
		deploy_give_up(p, err->msg);
		return;
	}
	/* Who is away is asked again when the lease is renewed. */
	if (deploy_done_waiting(p, err, "release phase") && err == NULL && (p->dirty || !is_sent))
		deploy_look(p);
}

/* What the release runs before it replaces the old one. True: it has ended well, or there is none. */
static bool
deploy_phase_is_over(struct deploy *p, const PGresult *res, long long waited_s)
{
	const char *state = fl_pg_str(res, 0, PHASE_STATE, NULL);
	char late[64];

	if (!row_bool(res, 0, HAS_PHASE))
		return true;
	if (state != NULL && strcmp(state, "down") == 0) {
		if (fl_pg_int(res, 0, PHASE_STATUS, -1) == 0)
			return true;
		deploy_give_up(p, fl_pg_str(res, 0, PHASE_ERROR, "release was stopped before it had ended"));
	} else if (waited_s >= PHASE_S) {
		snprintf(late, sizeof(late), "release has not ended within %d s", PHASE_S);
		deploy_give_up(p, late);
	} else if (state == NULL && !p->phase_sent) {
		p->busy = true;
		p->phase = release_phase_start(p->c, p->id, p->owner, on_phase, p);
	}
	return false;
}

/* How the app comes by the release: see look_sql. */
static bool
deploy_is(const PGresult *res, const char *how)
{
	return strcmp(fl_pg_str(res, 0, HOW, ""), how) == 0;
}

/* What ends it, or has to be done before jobs are replaced. True: nothing. */
static bool
deploy_may_replace(struct deploy *p, const PGresult *res, long long waited_s)
{
	if (row_bool(res, 0, APP_IS_GONE))
		deploy_give_up(p, "the app was deleted");
	else if (!row_is_null(res, 0, FAILURE))
		deploy_give_up(p, fl_pg_str(res, 0, FAILURE, ""));
	else if (deploy_is(res, "there"))
		deploy_finish(p);
	else if (deploy_is(res, "to scale"))
		deploy_step(p, rescale_sql, NULL, NULL);
	else
		return deploy_is(res, "scaled") || deploy_phase_is_over(p, res, waited_s);
	return false;
}

/* Its turn has come. */
static void
deploy_begin(struct deploy *p, const PGresult *res)
{
	char *why;

	if (!row_bool(res, 0, IS_OVERTAKEN)) {
		deploy_step(p, begin_sql, NULL, NULL);
		p->dirty = true; /* look again after it */
		return;
	}
	why = fl_xasprintf("the app has another release by now, %s, than the one that this was made of: make the change to that one",
	    fl_pg_str(res, 0, CURRENT, "none"));
	deploy_give_up(p, why);
	free(why);
}

static void
deploy_decide_on(struct deploy *p, const PGresult *res)
{
	long long waited_s = fl_pg_int(res, 0, WAITED_S, 0);
	enum deploy_strategy strategy = DEPLOY_ONE_BY_ONE;
	struct picture pic;
	bool is_late;

	if (row_is_null(res, 0, WAITED_S)) {
		deploy_begin(p, res);
		return;
	}
	if (!deploy_may_replace(p, res, waited_s))
		return;
	deploy_strategy_parse(fl_pg_str(res, 0, STRATEGY, ""), &strategy);
	picture_read(&pic, res);
	is_late = waited_s >= fl_pg_int(res, 0, TIMEOUT_S, 0) + picture_patience_s(&pic);
	switch (deploy_decide(strategy, (int)fl_pg_int(res, 0, BATCH, 0), pic.items, pic.n)) {
	case DEPLOY_SCALE:
		deploy_scale(p, &pic);
		break;
	case DEPLOY_WAIT:
		if (is_late)
			deploy_late(p, &pic, waited_s);
		break;
	case DEPLOY_DRAIN:
		if (is_late) /* the host kills them in the end; the new ones serve */
			deploy_finish(p);
		break;
	case DEPLOY_DONE:
		deploy_finish(p);
		break;
	}
	picture_release(&pic);
}

static void
on_looked(const PGresult *res, const struct fl_err *err, void *arg)
{
	struct deploy *p = arg;

	if (!deploy_done_waiting(p, err, "look") || err != NULL)
		return;
	if (PQntuples(res) == 0) { /* another's, or it was cancelled */
		deploy_leave(p);
		return;
	}
	deploy_decide_on(p, res);
	if (!p->busy && p->dirty)
		deploy_look(p);
}

void
deploy_look(struct deploy *p)
{
	p->dirty = true;
	if (p->busy || p->lost)
		return;
	p->dirty = false;
	p->busy = true;
	fl_pg_query(p->c->pg, look_sql, (const char *[]){ p->id, p->owner }, 2, on_looked, p);
}
