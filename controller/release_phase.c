#include "controller/release_phase.h"

#include <stdlib.h>
#include <string.h>

#include "controller/controller.h"
#include "controller/hosts.h"
#include "controller/row.h"
#include "libflynn/attr.h"
#include "libflynn/err.h"
#include "libflynn/host_client.h"
#include "libflynn/job.h"
#include "libflynn/json.h"
#include "libflynn/log.h"
#include "libflynn/pg.h"
#include "libflynn/process.h"
#include "libflynn/uuid.h"
#include "libflynn/xmalloc.h"

struct release_phase {
	struct controller *c;
	char deployment[FL_UUID_LEN + 1], owner[FL_UUID_LEN + 1];
	release_phase_cb cb;
	void *arg;
};

static const char describe_sql[] =
    "SELECT d.release_job, app_json(a), release_json(r), artifact_json(t),"
    " (SELECT json_object_agg(host_id, n) FROM (SELECT host_id, count(*) AS n FROM jobs"
    "  WHERE state IN ('starting', 'up', 'stopping') GROUP BY host_id) h)"
    " FROM deployments d JOIN apps a USING (app_id) JOIN releases r ON r.release_id = d.new_release_id"
    " JOIN artifacts t ON t.artifact_id = r.artifact_id"
    " WHERE d.deployment_id = $1 AND d.owner = $2 AND d.finished_at IS NULL";
enum { JOB, APP, RELEASE, ARTIFACT, N_JOBS };

void
release_phase_free(struct release_phase *p)
{
	free(p);
}

/* ---- its id ---- */

static void
on_chosen(FL_UNUSED const PGresult *res, const struct fl_err *err, void *arg)
{
	struct release_phase *p = arg;

	p->cb(false, err, p->arg);
}

static void
phase_choose(struct release_phase *p, const PGresult *res)
{
	struct fl_json *n_jobs = row_parse(res, 0, N_JOBS);
	const char *host_id = NULL, *addr = NULL;
	struct fl_job *blank = fl_job_new();
	struct fl_err err = { 0 };

	if (hosts_pick(p->c, n_jobs, &host_id, &addr, &err) == -1) {
		p->cb(false, &err, p->arg);
	} else {
		fl_job_set_id(blank, host_id);
		fl_pg_query(p->c->pg, "UPDATE deployments SET release_job = $3, step_at = clock_timestamp()"
				      " WHERE deployment_id = $1 AND owner = $2 AND finished_at IS NULL AND release_job IS NULL",
		    (const char *[]){ p->deployment, p->owner, blank->id }, 3, on_chosen, p);
	}
	fl_job_free(blank);
	fl_json_free(n_jobs);
}

/* ---- to its host ---- */

static void
on_added(const struct fl_err *err, void *arg)
{
	struct release_phase *p = arg;

	/* CONFLICT: it was there, by an earlier try that was not answered. */
	p->cb(true, err != NULL && err->kind == FL_ERR_CONFLICT ? NULL : err, p->arg);
}

static struct fl_job *
make_job(const PGresult *res, const char *id, const char *host_id, struct fl_err *err)
{
	struct fl_json *app = row_parse(res, 0, APP), *release = row_parse(res, 0, RELEASE), *artifact = row_parse(res, 0, ARTIFACT);
	struct fl_job *job = fl_process_job(app, release, artifact, FL_JOB_TYPE_RELEASE, host_id, err);

	if (job != NULL) {
		free(job->id);
		job->id = fl_xstrdup(id);
	}
	fl_json_free(app);
	fl_json_free(release);
	fl_json_free(artifact);
	return job;
}

static void
phase_send(struct release_phase *p, const PGresult *res)
{
	const char *id = fl_pg_str(res, 0, JOB, ""), *addr;
	char *host_id = fl_job_id_host(id);
	struct fl_job *job = NULL;
	struct fl_err err = { 0 };

	if ((addr = hosts_addr(p->c, host_id != NULL ? host_id : "", &err)) == NULL ||
	    (job = make_job(res, id, host_id, &err)) == NULL) {
		p->cb(false, &err, p->arg);
	} else {
		fl_log_info("release phase", fl_str("deployment", p->deployment), fl_str("job", id));
		fl_host_add_job(p->c->client, addr, job, on_added, p);
	}
	fl_job_free(job);
	free(host_id);
}

static void
on_described(const PGresult *res, const struct fl_err *err, void *arg)
{
	struct release_phase *p = arg;

	if (err != NULL || PQntuples(res) == 0)
		p->cb(false, err, p->arg);
	else if (row_is_null(res, 0, JOB))
		phase_choose(p, res);
	else
		phase_send(p, res);
}

struct release_phase *
release_phase_start(struct controller *c, const char *deployment_id, const char *owner, release_phase_cb cb, void *arg)
{
	struct release_phase *p = fl_xcalloc(1, sizeof(*p));

	p->c = c;
	memcpy(p->deployment, deployment_id, sizeof(p->deployment));
	memcpy(p->owner, owner, sizeof(p->owner));
	p->cb = cb;
	p->arg = arg;
	fl_pg_query(c->pg, describe_sql, (const char *[]){ deployment_id, owner }, 2, on_described, p);
	return p;
}

/* ---- those that nobody waits for ---- */

static void
on_stopped(const struct fl_err *err, FL_UNUSED void *arg)
{
	if (err != NULL && err->kind != FL_ERR_NOT_FOUND)
		fl_log_warn("a release phase that nobody waits for runs on", fl_str("err", err->msg));
}

static void
on_left_over(const PGresult *res, const struct fl_err *err, void *arg)
{
	struct controller *c = arg;

	for (int i = 0; err == NULL && i < PQntuples(res); i++) {
		const char *id = fl_pg_str(res, i, 0, "");
		char *host_id = fl_job_id_host(id);
		const char *addr = host_id != NULL ? hosts_addr(c, host_id, NULL) : NULL;

		if (addr != NULL)
			fl_host_stop_job(c->client, addr, id, on_stopped, NULL);
		free(host_id);
	}
}

/* What was sent just now is not recorded yet. */
void
release_phase_sweep(struct controller *c)
{
	fl_pg_query(c->pg, "SELECT d.release_job FROM deployments d LEFT JOIN jobs j ON j.job_id = d.release_job"
			   " WHERE d.release_job IS NOT NULL AND d.finished_at > clock_timestamp() - interval '1 hour'"
			   "  AND coalesce(j.state, 'starting') IN ('starting', 'up')",
	    NULL, 0, on_left_over, c);
}
