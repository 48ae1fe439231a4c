#include "controller/scheduler_stale.h"

#include <event2/event.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "controller/scheduler.h"
#include "controller/scheduler_formations.h"
#include "controller/scheduler_hosts.h"
#include "controller/scheduler_record.h"
#include "libflynn/attr.h"
#include "libflynn/err.h"
#include "libflynn/http_client.h"
#include "libflynn/job.h"
#include "libflynn/json.h"
#include "libflynn/log.h"
#include "libflynn/map.h"
#include "libflynn/xmalloc.h"

#define AGAIN_S 2

struct stale {
	struct scheduler *scheduler;
	bool suspected;
	struct fl_http_call *call; /* for the record */
	struct fl_map *had;	   /* ids of the jobs that the world had when it was asked for; NULL: it is not */
	struct event *again;
};

static void
look_later(struct stale *st)
{
	static const struct timeval again = { AGAIN_S, 0 };

	evtimer_add(st->again, &again);
}

/*
 * Whether the job has ended unseen. *later: that cannot be said yet, as its host may have yet to come or to tell its jobs. What
 * has ended since we asked is told as it ended, so it is none.
 */
static bool
is_stale(const struct stale *st, const char *id, bool *later, const char **why)
{
	const struct scheduler *s = st->scheduler;
	char *host_id = fl_job_id_host(id);
	const struct host *h = host_id != NULL ? fl_map_get(s->world.hosts, host_id) : NULL;
	bool may_come = h == NULL ? !hosts_settled(s->hosts) : !h->known;

	free(host_id);
	if (world_job(&s->world, id) != NULL || fl_map_get(st->had, id) != NULL || records_have(s->records, id))
		return false;
	*later |= may_come;
	*why = h == NULL ? HOST_LOST : NULL;
	return !may_come;
}

/* What is pending or blocked is so on record alone. */
static bool
is_to_run(const char *state)
{
	return strcmp(state, "starting") == 0 || strcmp(state, "up") == 0 || strcmp(state, "stopping") == 0;
}

static void
compare(struct stale *st, const struct fl_json *jobs)
{
	struct scheduler *s = st->scheduler;
	bool later = false;

	for (size_t i = 0; i < fl_json_len(jobs); i++) {
		const struct fl_json *j = fl_json_at(jobs, i);
		const char *id = fl_json_text(j, "id"), *why = NULL;

		if (!is_to_run(fl_json_text(j, "state")) || !is_stale(st, id, &later, &why))
			continue;
		fl_log_info("job ended unseen", fl_str("job", id));
		record_end(s->records, id, fl_json_text(j, "app"), fl_json_text(j, "release"), fl_json_text(j, "type"), "down", why);
	}
	if (later)
		look_later(st);
}

static void
on_record(const struct fl_http_result *res, const struct fl_err *call_err, void *arg)
{
	struct stale *st = arg;
	struct fl_err err = call_err != NULL ? *call_err : (struct fl_err){ 0 };
	struct fl_json *jobs = NULL;

	st->call = NULL;
	if (call_err == NULL && fl_http_result_check(res, "list the jobs on record", &err) == 0)
		jobs = fl_json_parse(res->body, res->len, &err);
	if (err.kind != FL_ERR_NONE) {
		fl_log_warn("what runs is not compared with the record yet", fl_str("err", err.msg));
		look_later(st);
	} else if (st->scheduler->leader) {
		compare(st, jobs);
	}
	fl_json_free(jobs);
	fl_map_free(st->had);
	st->had = NULL;
}

void
stale_look(struct stale *st)
{
	const char *controller = formations_controller(st->scheduler->formations);
	char *url;

	if (!st->suspected || st->call != NULL)
		return;
	if (controller == NULL) {
		look_later(st);
		return;
	}
	st->suspected = false;
	st->had = fl_map_new();
	FL_MAP_EACH(st->scheduler->world.jobs_by_id, e)
		fl_map_set(st->had, fl_map_key(e), st);
	url = fl_xasprintf("http://%s/active-jobs", controller);
	st->call = fl_http_client_start(st->scheduler->controller_http, &(struct fl_http_call_opts){ .url = url }, on_record, st);
	free(url);
}

void
stale_suspect(struct stale *st)
{
	st->suspected = true;
}

static void
on_again(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct stale *st = arg;

	stale_suspect(st);
	scheduler_look_again(st->scheduler);
}

struct stale *
stale_new(struct scheduler *s)
{
	struct stale *st = fl_xcalloc(1, sizeof(*st));

	st->scheduler = s;
	st->again = evtimer_new(s->base, on_again, st);
	return st;
}

void
stale_free(struct stale *st)
{
	if (st == NULL)
		return;
	if (st->call != NULL)
		fl_http_call_cancel(st->call);
	fl_map_free(st->had);
	event_free(st->again);
	free(st);
}
