#include "host/ending.h"

#include <event2/event.h>
#include <stdlib.h>

#include "host/attach.h"
#include "host/container.h"
#include "host/death.h"
#include "host/engine.h"
#include "host/feed.h"
#include "host/health.h"
#include "host/job.h"
#include "host/launcher.h"
#include "host/ports.h"
#include "host/restore.h"
#include "host/retain.h"
#include "host/services.h"
#include "host/sockets.h"
#include "host/state.h"
#include "libflynn/buf.h"
#include "libflynn/clock.h"
#include "libflynn/err.h"
#include "libflynn/json.h"
#include "libflynn/log.h"
#include "libflynn/url.h"
#include "libflynn/xmalloc.h"

#define STABLE_MS (5 * 60 * 1000)
#define AT_ONCE 5
#define SLOWLY 10
#define SLOW_S 10
#define SLOWEST_S 30
#define STOP_MARGIN_MS 15000
#define STOP_RETRY_S 2

int
ending_delay_s(int deaths)
{
	if (deaths <= AT_ONCE)
		return 0;
	return deaths <= AT_ONCE + SLOWLY ? SLOW_S : SLOWEST_S;
}

enum fl_job_status
ending_status(bool was_up, int exit_status)
{
	if (!was_up)
		return FL_JOB_FAILED;
	return exit_status == 0 ? FL_JOB_DONE : FL_JOB_CRASHED;
}

static void
wait_then(struct job *j, int seconds, event_callback_fn then)
{
	struct timeval wait = { seconds, 0 };

	if (j->timer != NULL)
		event_free(j->timer);
	j->timer = event_new(j->host->base, -1, 0, then, j);
	event_add(j->timer, &wait);
}

static void
timer_clear(struct job *j)
{
	event_free(j->timer);
	j->timer = NULL;
}

/* ---- the end, or the next beginning ---- */

static void
on_waited(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct job *j = arg;

	timer_clear(j);
	launcher_enqueue(j);
}

static void
restart_later(struct job *j)
{
	int delay;

	if (j->up_ms != 0 && fl_clock_ms() - j->up_ms >= STABLE_MS)
		j->deaths = 0;
	j->up_ms = 0;
	delay = ending_delay_s(++j->deaths);
	j->active->restarts++;
	fl_log_warn("job ended, starting it again", fl_str("job", job_id(j)), fl_str("what", job_what(j)),
	    fl_str("err", j->active->error), fl_int("restarts", j->active->restarts), fl_int("wait_s", delay));
	job_enter(j, JOB_WAITING);
	attach_job_ended(j);
	wait_then(j, delay, on_waited);
	state_touch(j->host->state);
}

static void
mark_container_ended(struct job *j)
{
	static const struct engine_call call = { .method = "POST" };
	char *name = container_ended_name(j), *encoded = fl_url_encode(name);

	/* The mark is for a host that lost its state; nobody waits for it. */
	if (j->active->container_id != NULL)
		engine_forget(j->host->engine, &call, "/containers/%s/rename?name=%s", j->active->container_id, encoded);
	free(name);
	free(encoded);
}

static void
end_for_good(struct job *j, enum fl_job_status status)
{
	j->wanted = false;
	j->end_status = j->stop_requested ? FL_JOB_DONE : status;
	job_enter(j, JOB_ENDED);
	ports_release(j->host->ports, j);
	fl_log_info("job ended", fl_str("job", job_id(j)), fl_str("what", job_what(j)),
	    fl_str("status", fl_job_status_name(j->end_status)), fl_int("exit", j->active->exit_status),
	    fl_str("err", j->active->error));
	feed_send(j->host->feed, j->end_status == FL_JOB_FAILED ? "error" : "stop", j);
	mark_container_ended(j);
	attach_job_ended(j);
	state_touch(j->host->state);
	ending_prune_soon(j->host);
}

/* Whether a container has ended so that another one can take its place; a launch that failed is none that ended. */
static bool
is_renewal(const struct job *j)
{
	return j->wanted && j->renew_container && (j->state == JOB_STOPPING || j->state == JOB_DYING || j->state == JOB_UNKNOWN);
}

void
ending_conclude(struct job *j, enum fl_job_status status, int exit_status, const char *error)
{
	launcher_leave(j);
	services_unregister(j, NULL);
	j->active->exit_status = exit_status;
	j->active->ended_at = fl_clock_wall_us();
	if (error != NULL)
		job_set_error(j, error);
	if (is_renewal(j)) {
		job_enter(j, JOB_WAITING); /* not an end, but a change of containers */
		launcher_enqueue(j);
	} else if (j->wanted && job_is_kept(j)) {
		restart_later(j);
	} else {
		end_for_good(j, status);
	}
}

/* ---- by itself ---- */

static void
on_death_known(struct job *j, enum death_kind kind, const struct container_info *info, const char *words)
{
	struct fl_buf error = { 0 };

	switch (kind) {
	case DEATH_ENDED:
		if (info->exit_code != 0 || !j->was_up || info->oom_killed || job_is_kept(j))
			death_explain(job_what(j), info, engine_arch(j->host->engine), job_spec(j)->memory_bytes, words, &error);
		ending_conclude(j, ending_status(j->was_up, info->exit_code), info->exit_code,
		    error.len > 0 ? fl_buf_cstr(&error) : NULL);
		break;
	case DEATH_GONE:
		free(j->active->container_id);
		j->active->container_id = NULL;
		fl_buf_addf(&error, "the container of %s was removed by somebody else than flynn-host", job_what(j));
		ending_conclude(j, j->was_up ? FL_JOB_CRASHED : FL_JOB_FAILED, -1, fl_buf_cstr(&error));
		break;
	case DEATH_RUNS:
	case DEATH_INTERRUPTED:
		job_enter(j, JOB_UNKNOWN);
		restore_request(j->host);
		break;
	}
	fl_buf_release(&error);
}

void
ending_died(struct job *j)
{
	health_cancel(j->health);
	j->health = NULL;
	sockets_cancel(j->sockets);
	j->sockets = NULL;
	job_enter(j, JOB_DYING);
	services_unregister(j, NULL);
	j->death = death_start(j, on_death_known);
}

/* ---- told to ---- */

static void send_stop(struct job *j);

static void
on_retry_stop(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct job *j = arg;

	timer_clear(j);
	send_stop(j);
}

static void
on_stop_inspected(const struct fl_http_result *res, const struct fl_err *call_err, void *arg)
{
	struct job *j = arg;
	struct container_info info = { 0 };
	struct fl_err err = { 0 };
	struct fl_json *v = NULL;

	j->call = NULL;
	if (engine_check(j->host->engine, res, call_err, "inspect the container", &err) == -1) {
		if (err.kind == FL_ERR_UNAVAILABLE) {
			job_enter(j, JOB_UNKNOWN);
			restore_request(j->host);
			return;
		}
	} else if ((v = engine_parse(res, NULL)) != NULL) {
		container_parse(v, &info, NULL);
	}
	if (info.running)
		wait_then(j, STOP_RETRY_S, on_retry_stop);
	else
		ending_conclude(j, FL_JOB_FAILED, info.id != NULL ? info.exit_code : -1, NULL);
	fl_json_free(v);
	container_info_release(&info);
}

static void
on_stop_answered(const struct fl_http_result *res, const struct fl_err *call_err, void *arg)
{
	struct job *j = arg;
	struct engine *e = j->host->engine;
	struct fl_err err = { 0 };

	j->call = NULL;
	if (engine_check(e, res, call_err, "stop the container", &err) == -1) {
		fl_log_warn("cannot stop a job", fl_str("job", job_id(j)), fl_str("err", err.msg));
		if (err.kind == FL_ERR_UNAVAILABLE) {
			job_enter(j, JOB_UNKNOWN);
			restore_request(j->host);
			return;
		}
	}
	j->call = engine_inspect(e, j->active->container_id, on_stop_inspected, j);
}

static void
send_stop(struct job *j)
{
	int grace_s = j->grace_s;
	struct engine_call call = { .method = "POST", .timeout_ms = grace_s * 1000 + STOP_MARGIN_MS };

	if (j->state != JOB_STOPPING || j->call != NULL)
		return;
	j->call = engine_start(j->host->engine, &call, on_stop_answered, j, "/containers/%s/stop?t=%d", j->active->container_id,
	    grace_s);
}

void
ending_stop(struct job *j)
{
	health_cancel(j->health);
	j->health = NULL;
	sockets_cancel(j->sockets);
	j->sockets = NULL;
	launcher_leave(j);
	job_enter(j, JOB_STOPPING);
	services_unregister(j, send_stop);
}

void
ending_request_soon(struct job *j, int grace_s)
{
	j->wanted = false;
	j->stop_requested = true;
	j->grace_s = grace_s;
	state_touch(j->host->state);
	switch (j->state) {
	case JOB_QUEUED:
	case JOB_WAITING:
	case JOB_ATTACHING:
		job_cancel(j);
		ending_conclude(j, FL_JOB_DONE, -1, NULL);
		break;
	case JOB_CHECKING:
	case JOB_UP:
	case JOB_FAILING:
		ending_stop(j);
		break;
	case JOB_UNKNOWN:
	case JOB_CREATING:
	case JOB_STARTING:
	case JOB_STOPPING:
	case JOB_DYING:
	case JOB_ENDED:
		break; /* what is under way sees that it is not wanted any more */
	case JOB_STATE_MAX:
		abort();
	}
}

void
ending_request(struct job *j)
{
	ending_request_soon(j, job_spec(j)->stop_timeout_s);
}

/* ---- what is left ---- */

static void
remove_container(struct job *j)
{
	static const struct engine_call call = { .method = "DELETE" };

	if (j->active->container_id != NULL && !j->container_removed)
		engine_forget(j->host->engine, &call, "/containers/%s?force=1&v=1", j->active->container_id);
	j->container_removed = true;
}

static void
on_prune(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct host *h = arg;
	struct job *j, *next;

	retain_mark(h);
	TAILQ_FOREACH_SAFE (j, &h->jobs, link, next) {
		if (j->state != JOB_ENDED || !LIST_EMPTY(&j->attaches))
			continue;
		/* Nobody asks for the log of a build or a run once its own reader has gone. */
		if (!j->retained || !job_has_app(j))
			remove_container(j);
		if (j->retained)
			continue;
		feed_send(h->feed, "cleanup", j);
		job_free(j);
		state_touch(h->state);
	}
}

/* Not at once: who ends a job may still hold it. */
void
ending_prune_soon(struct host *h)
{
	static const struct timeval now = { 0, 0 };

	if (h->prune == NULL)
		h->prune = event_new(h->base, -1, 0, on_prune, h);
	event_add(h->prune, &now);
}
