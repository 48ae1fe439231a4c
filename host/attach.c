#include "attach.h"

#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "ending.h"
#include "engine.h"
#include "job.h"
#include "launch.h"
#include "libflynn/attr.h"
#include "libflynn/err.h"
#include "libflynn/frame.h"
#include "libflynn/http_server.h"
#include "libflynn/json.h"
#include "libflynn/log.h"
#include "libflynn/xmalloc.h"
#include "stream.h"
#include "winsize.h"

#define UNKNOWN_JOB_S 60
#define OPEN_TIMEOUT_MS 30000
/* A build whose pusher went away has nothing to save. */
#define DETACHED_GRACE_S 2

struct attach {
	LIST_ENTRY(attach) link; /* of host->waiting or job->attaches */
	struct host *host;
	struct job *job; /* NULL: waits for one that is not there yet */
	char *job_id;
	unsigned flags;
	struct winsize_teller size;
	bool timestamps;
	int64_t tail;
	char *since;
	struct client *client;
	struct event *timer; /* how long an unknown job is waited for */
	struct stream *stream;
	bool told_waiting, attached; /* state bytes sent */
	bool stream_over, job_over;
	int exit_status; /* of a job that is over; -1: none ran */
};

static void attach_free(struct attach *a);
static void attach_look(struct attach *a);

/* ---- towards the client ---- */

static void
drop_stream(struct attach *a)
{
	stream_free(a->stream);
	a->stream = NULL;
}

static void
attach_refuse(struct attach *a, const char *why)
{
	client_refuse(a->client, why);
	drop_stream(a);
}

static void
tell_waiting(struct attach *a)
{
	if (!a->told_waiting)
		client_send_state(a->client, FL_FRAME_WAITING);
	a->told_waiting = true;
}

static bool
wants_exit(const struct attach *a)
{
	return (a->flags & ATTACH_STREAM) != 0 || job_spec(a->job)->tty;
}

/* All output is sent, and the job is over if its end was asked for: say so and close. */
static void
attach_finish(struct attach *a)
{
	int status = a->exit_status >= 0 ? a->exit_status : 1;

	client_finish(a->client, wants_exit(a) ? status : -1);
	drop_stream(a);
}

/* It was attached before the start, and there was none. */
static void
attach_explain(struct attach *a)
{
	const char *error = a->job->active->error;

	if (error != NULL) {
		fl_frame_write_data(client_out(a->client), FL_FRAME_STDERR, error, strlen(error));
		fl_frame_write_data(client_out(a->client), FL_FRAME_STDERR, "\n", 1);
	}
	attach_finish(a);
}

/* ---- the engine's stream ---- */

static bool
feeds(const struct attach *a)
{
	return (a->flags & ATTACH_STDIN) != 0 && job_spec(a->job)->stdin_open;
}

static void
send_size(struct attach *a)
{
	const char *container = a->job->active->container_id;

	if (container != NULL && job_spec(a->job)->tty)
		winsize_tell(&a->size, a->host->engine, "containers", container);
}

/* Whether every client that the start waits for has its stream. */
static bool
all_attached(const struct job *j)
{
	const struct attach *a;

	LIST_FOREACH (a, &j->attaches, link)
		if (feeds(a) && !a->attached && !client_is_closing(a->client))
			return false;
	return !LIST_EMPTY(&j->attaches) || !job_spec(j)->stop_on_detach;
}

static void
look_at_start(struct job *j)
{
	if (j->state == JOB_ATTACHING && all_attached(j))
		launch_attached(j);
}

static void
on_stream_open(FL_UNUSED struct stream *s, void *arg)
{
	struct attach *a = arg;

	client_send_state(a->client, FL_FRAME_ATTACHED);
	a->attached = true;
	client_may_half_close(a->client, !job_spec(a->job)->stop_on_detach);
	client_read(a->client, true);
	if (a->job->state == JOB_ATTACHING)
		look_at_start(a->job);
	else
		send_size(a);
}

static bool
is_wanted(const struct attach *a, enum fl_frame_stream from)
{
	unsigned both = ATTACH_STDOUT | ATTACH_STDERR;

	if ((a->flags & both) == 0)
		return true; /* asked for neither: a log of both */
	return (a->flags & (from == FL_FRAME_STDERR ? ATTACH_STDERR : ATTACH_STDOUT)) != 0;
}

static void
on_stream_data(struct stream *s, enum fl_frame_stream from, const char *data, size_t len, void *arg)
{
	struct attach *a = arg;

	if (client_is_closing(a->client) || !is_wanted(a, from))
		return;
	fl_frame_write_data(client_out(a->client), from, data, len);
	if (client_pending(a->client) > CLIENT_HIGH_WATER)
		stream_pause(s, true);
}

static void
on_stream_end(FL_UNUSED struct stream *s, const struct fl_err *err, void *arg)
{
	struct attach *a = arg;

	if (client_is_closing(a->client))
		return;
	a->stream_over = true;
	if (err != NULL && !a->attached)
		attach_refuse(a, err->msg);
	else
		attach_look(a);
}

static void
on_stream_drain(struct stream *s, void *arg)
{
	struct attach *a = arg;

	if (!client_is_closing(a->client) && !client_is_reading(a->client) && stream_pending(s) < CLIENT_LOW_WATER)
		client_read(a->client, true);
}

/*
 * What feeds a job, or has its terminal, is attached to the container; all else reads the log that the engine keeps, which
 * has no gap between what was printed and what will be.
 */
static void
attach_open_stream(struct attach *a)
{
	static const struct stream_ops ops = {
		.on_open = on_stream_open, .on_data = on_stream_data, .on_end = on_stream_end, .on_drain = on_stream_drain
	};
	const struct job *j = a->job;
	struct stream_opts opts = { .multiplexed = !job_spec(j)->tty, .open_timeout_ms = OPEN_TIMEOUT_MS };
	const char *container = j->active->container_id;
	bool live = j->state != JOB_ENDED && j->state != JOB_DYING;
	bool history = (a->flags & ATTACH_LOGS) != 0 || a->told_waiting;
	char *path = NULL, *tail = NULL;

	if (live && !a->timestamps && (feeds(a) || (job_spec(j)->tty && (a->flags & ATTACH_STREAM) != 0))) {
		opts.method = "POST";
		opts.upgrade = true;
		path = fl_xasprintf("/containers/%s/attach?stream=1&stdout=1&stderr=1&stdin=%d&logs=%d", container, feeds(a),
		    history && j->state != JOB_ATTACHING);
	} else {
		opts.method = "GET";
		if (!history || a->tail >= 0)
			tail = fl_xasprintf("&tail=%lld", history ? (long long)a->tail : 0);
		path = fl_xasprintf("/containers/%s/logs?stdout=1&stderr=1&follow=%d%s%s%s%s", container,
		    live && (a->flags & ATTACH_STREAM) != 0, tail != NULL ? tail : "", a->timestamps ? "&timestamps=1" : "",
		    a->since != NULL ? "&since=" : "", a->since != NULL ? a->since : "");
	}
	opts.path = path;
	a->stream = stream_start(a->host->base, a->host->engine, &opts, &ops, a);
	free(path);
	free(tail);
}

/* ---- from the client ---- */

static void
on_client_frame(const struct fl_frame *f, void *arg)
{
	static const struct engine_call call = { .method = "POST" };
	struct attach *a = arg;
	const char *container = a->job->active->container_id;

	switch (f->type) {
	case FL_FRAME_DATA:
		if (a->stream == NULL || !feeds(a) || f->stream != FL_FRAME_STDIN)
			break;
		if (f->eof)
			stream_shutdown(a->stream);
		else
			stream_write(a->stream, f->data, f->len);
		if (stream_pending(a->stream) > CLIENT_HIGH_WATER)
			client_read(a->client, false);
		break;
	case FL_FRAME_SIGNAL:
		if (container != NULL && !a->job_over && f->value > 0 && f->value < NSIG)
			engine_forget(a->host->engine, &call, "/containers/%s/kill?signal=%u", container, f->value);
		break;
	case FL_FRAME_RESIZE:
		a->size.rows = f->rows;
		a->size.cols = f->cols;
		if (!a->job_over)
			send_size(a);
		break;
	case FL_FRAME_EXIT:
		break; /* says nothing in this direction */
	}
}

static void
on_client_drain(void *arg)
{
	struct attach *a = arg;

	if (a->stream != NULL)
		stream_pause(a->stream, false);
}

static void
on_client_gone(void *arg)
{
	attach_free(arg);
}

static const struct client_ops client_ops = { on_client_frame, on_client_drain, on_client_gone };

static void
attach_free(struct attach *a)
{
	struct job *j = a->job;
	struct host *h = a->host;
	bool detached = !a->job_over && !h->stopping;

	LIST_REMOVE(a, link);
	if (a->timer != NULL)
		event_free(a->timer);
	winsize_release(&a->size);
	stream_free(a->stream);
	client_free(a->client);
	free(a->job_id);
	free(a->since);
	free(a);
	if (j == NULL)
		return;
	if (detached && job_spec(j)->stop_on_detach) {
		fl_log_info("its client has gone, stopping the job", fl_str("job", job_id(j)));
		ending_request_soon(j, DETACHED_GRACE_S);
	} else if (detached) {
		look_at_start(j);
	} else if (j->state == JOB_ENDED) {
		ending_prune_soon(h);
	}
}

/* ---- the job ---- */

/* What can be done for it in the state that its job is in. */
static void
attach_look(struct attach *a)
{
	const struct job *j = a->job;

	if (client_is_closing(a->client))
		return;
	if (a->stream_over && (a->job_over || !wants_exit(a))) {
		attach_finish(a);
		return;
	}
	if (a->stream != NULL)
		return;
	switch (j->state) {
	case JOB_CHECKING:
	case JOB_UP:
	case JOB_FAILING:
	case JOB_STOPPING:
	case JOB_DYING:
		attach_open_stream(a);
		break;
	case JOB_ATTACHING:
		if (feeds(a)) {
			attach_open_stream(a);
			break;
		}
		tell_waiting(a);
		look_at_start(a->job);
		break;
	case JOB_ENDED:
		if (j->active->container_id == NULL || j->container_removed)
			attach_refuse(a, j->active->error != NULL ? j->active->error : "the job has ended and its log is gone");
		else
			attach_open_stream(a);
		break;
	case JOB_UNKNOWN:
	case JOB_QUEUED:
	case JOB_CREATING:
	case JOB_STARTING:
	case JOB_WAITING:
		tell_waiting(a);
		break;
	case JOB_STATE_MAX:
		abort();
	}
}

static void
attach_bind(struct attach *a, struct job *j)
{
	a->job = j;
	LIST_INSERT_HEAD(&j->attaches, a, link);
	if (j->state == JOB_ENDED) {
		a->job_over = true;
		a->exit_status = j->active->exit_status;
	}
	attach_look(a);
}

void
attach_job_added(struct job *j)
{
	struct attach *a, *next;

	LIST_FOREACH_SAFE (a, &j->host->waiting, link, next) {
		if (strcmp(a->job_id, job_id(j)) != 0)
			continue;
		event_free(a->timer);
		a->timer = NULL;
		LIST_REMOVE(a, link);
		attach_bind(a, j);
	}
}

bool
attach_must_wait(const struct job *j)
{
	return !all_attached(j);
}

void
attach_connect(struct job *j)
{
	struct attach *a, *next;

	LIST_FOREACH_SAFE (a, &j->attaches, link, next)
		attach_look(a);
}

void
attach_job_started(struct job *j)
{
	struct attach *a, *next;

	LIST_FOREACH_SAFE (a, &j->attaches, link, next) {
		if (a->attached)
			send_size(a);
		else
			attach_look(a);
	}
}

void
attach_job_ended(struct job *j)
{
	struct attach *a, *next;

	LIST_FOREACH_SAFE (a, &j->attaches, link, next) {
		if (client_is_closing(a->client) || (j->state == JOB_WAITING && !a->attached))
			continue; /* it will see the next one start */
		a->job_over = true;
		a->exit_status = j->active->exit_status;
		if (a->attached && a->exit_status == -1)
			attach_explain(a);
		else
			attach_look(a);
	}
}

void
attach_job_gone(struct job *j)
{
	struct attach *a, *next;

	LIST_FOREACH_SAFE (a, &j->attaches, link, next) {
		a->job_over = true;
		attach_free(a);
	}
}

/* ---- beginnings ---- */

static void
on_unknown_late(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct attach *a = arg;
	char *why = fl_xasprintf("no job %s was added to this host within %d s", a->job_id, UNKNOWN_JOB_S);

	attach_refuse(a, why);
	free(why);
}

int
attach_parse(const struct fl_json *v, struct attach_request *request, struct fl_err *err)
{
	int64_t flags = 0, rows = 0, cols = 0;

	*request = (struct attach_request){ .tail = -1 };
	if (fl_json_type(v) != FL_JSON_OBJECT)
		return fl_err_set(err, FL_ERR_INVALID, "an attach request must be an object");
	if (fl_json_member_str(v, "job_id", &request->job_id, err) == -1 ||
	    fl_json_member_int(v, "flags", 0, 63, &flags, err) == -1 ||
	    fl_json_member_int(v, "height", 0, UINT16_MAX, &rows, err) == -1 ||
	    fl_json_member_int(v, "width", 0, UINT16_MAX, &cols, err) == -1 ||
	    fl_json_member_bool(v, "timestamps", &request->timestamps, err) == -1 ||
	    fl_json_member_int(v, "tail", -1, INT32_MAX, &request->tail, err) == -1 ||
	    fl_json_member_str(v, "since", &request->since, err) == -1)
		return -1;
	if (request->since != NULL && strspn(request->since, "0123456789.") != strlen(request->since))
		return fl_err_set(err, FL_ERR_INVALID, "since is \"%.40s\", and must be seconds since the epoch", request->since);
	if (request->job_id == NULL)
		return fl_err_set(err, FL_ERR_INVALID, "an attach request needs a \"job_id\"");
	request->flags = (unsigned)flags;
	request->rows = (uint16_t)rows;
	request->cols = (uint16_t)cols;
	return 0;
}

void
attach_start(struct host *h, const struct attach_request *request, struct fl_http_req *req)
{
	static const struct timeval limit = { UNKNOWN_JOB_S, 0 };
	struct attach *a = fl_xcalloc(1, sizeof(*a));
	struct job *j = job_find(h, request->job_id);

	a->host = h;
	a->job_id = fl_xstrdup(request->job_id);
	a->flags = request->flags;
	a->size.rows = request->rows;
	a->size.cols = request->cols;
	a->timestamps = request->timestamps;
	a->tail = request->tail;
	a->since = fl_xstrdup_null(request->since);
	a->client = client_take(h->base, a->job_id, &client_ops, a, req);
	if (a->client == NULL) {
		free(a->job_id);
		free(a->since);
		free(a);
		return;
	}
	if (j != NULL) {
		attach_bind(a, j);
		return;
	}
	LIST_INSERT_HEAD(&h->waiting, a, link);
	tell_waiting(a);
	a->timer = event_new(h->base, -1, 0, on_unknown_late, a);
	event_add(a->timer, &limit);
}

void
attach_release_waiting(struct host *h)
{
	struct attach *a, *next;

	LIST_FOREACH_SAFE (a, &h->waiting, link, next)
		attach_free(a);
}
