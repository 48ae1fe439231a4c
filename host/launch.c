#include "host/launch.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "host/attach.h"
#include "host/claim.h"
#include "host/container.h"
#include "host/death.h"
#include "host/ending.h"
#include "host/engine.h"
#include "host/feed.h"
#include "host/health.h"
#include "host/image.h"
#include "host/job.h"
#include "host/launcher.h"
#include "host/ports.h"
#include "host/pull.h"
#include "host/restore.h"
#include "host/services.h"
#include "host/sockets.h"
#include "host/state.h"
#include "host/volume.h"
#include "libflynn/buf.h"
#include "libflynn/clock.h"
#include "libflynn/err.h"
#include "libflynn/json.h"
#include "libflynn/log.h"
#include "libflynn/url.h"
#include "libflynn/xmalloc.h"

#define ENGINE_TIMEOUT_MS 60000
#define MAX_PORT_TRIES 20
#define ATTACH_WAIT_S 60

static void launch_create(struct job *j);
static void launch_run(struct job *j);

/* ---- when it does not go on ---- */

/* Give up this try. What the engine did not answer is looked at when it does again. */
static void
launch_failed(struct job *j, const struct fl_err *err)
{
	launcher_leave(j);
	if (err->kind == FL_ERR_UNAVAILABLE) {
		job_enter(j, JOB_UNKNOWN);
		restore_request(j->host);
		return;
	}
	ending_conclude(j, FL_JOB_FAILED, -1, err->msg);
}

/* Whether it was told to end meanwhile; then it does, before its container runs. */
static bool
launch_given_up(struct job *j)
{
	if (j->wanted)
		return false;
	ending_conclude(j, FL_JOB_DONE, -1, NULL);
	return true;
}

/* ---- volumes and container ---- */

static void
on_removed(const struct fl_http_result *res, const struct fl_err *call_err, void *arg)
{
	struct job *j = arg;
	struct fl_err err = { 0 };

	j->call = NULL;
	if (engine_check(j->host->engine, res, call_err, "remove the container", &err) == -1 && err.kind != FL_ERR_NOT_FOUND) {
		launch_failed(j, &err);
		return;
	}
	free(j->active->container_id);
	j->active->container_id = NULL;
	j->renew_container = false;
	if (!launch_given_up(j))
		launch_create(j);
}

/* Remove the container of that id or name and make another. */
static void
launch_renew(struct job *j, const char *container)
{
	static const struct engine_call call = { .method = "DELETE", .timeout_ms = ENGINE_TIMEOUT_MS };

	j->call = engine_start(j->host->engine, &call, on_removed, j, "/containers/%s?force=1&v=1", container);
}

static void
on_pulled(const struct fl_err *err, void *arg)
{
	struct job *j = arg;

	j->pull = NULL;
	if (err != NULL)
		launch_failed(j, err);
	else if (!launch_given_up(j))
		launch_create(j);
}

/* The engine does not have the image: get it, where that makes sense. */
static void
launch_without_image(struct job *j)
{
	struct image image = { 0 };
	struct fl_err err = { 0 };

	if (image_parse(job_spec(j)->artifact_uri, &image, &err) == 0 && (image.id == NULL || image.digest != NULL) && !j->pulled) {
		j->pulled = true;
		launcher_leave(j); /* it may take minutes */
		j->pull = pull_start(j->host, &image, on_pulled, j);
	} else {
		if (image.id != NULL)
			fl_err_set(&err, FL_ERR_NOT_FOUND,
			    "image %s (id %s) is not on this host: build it with make images, or push it to a registry and name it by tag",
			    image.name, image.id);
		else if (image.ref != NULL)
			fl_err_set(&err, FL_ERR_NOT_FOUND, "image %s was pulled and is not there: remove it with docker rmi and try again",
			    image.ref);
		launch_failed(j, &err);
	}
	image_release(&image);
}

static void
launch_created(struct job *j, const struct fl_http_result *res)
{
	struct fl_err err = { 0 };
	struct fl_json *v = fl_json_parse(res->body, res->len, &err);
	const char *id = fl_json_str(fl_json_get(v, "Id"), NULL);

	if (id == NULL) {
		fl_err_set(&err, FL_ERR_SYSTEM, "the engine made a container and did not name it");
		launch_failed(j, &err);
	} else {
		j->active->container_id = fl_xstrdup(id);
		j->name_tries = 0;
		state_touch(j->host->state);
		if (!launch_given_up(j))
			launch_run(j);
	}
	fl_json_free(v);
}

static void
on_created(const struct fl_http_result *res, const struct fl_err *call_err, void *arg)
{
	struct job *j = arg;
	struct fl_err err = { 0 };
	char *name = NULL;

	j->call = NULL;
	if (engine_check(j->host->engine, res, call_err, "create the container", &err) == 0) {
		launch_created(j, res);
	} else if (err.kind == FL_ERR_NOT_FOUND) {
		if (!launch_given_up(j))
			launch_without_image(j);
	} else if (err.kind == FL_ERR_CONFLICT && j->name_tries++ == 0) {
		/* The rest of an earlier try that we did not hear the end of: its name is made of this job's id. */
		name = container_name(j);
		launch_renew(j, name);
		free(name);
	} else {
		launch_failed(j, &err);
	}
}

static void
launch_create(struct job *j)
{
	struct engine_call call = { .method = "POST", .timeout_ms = ENGINE_TIMEOUT_MS };
	struct image image = { 0 };
	struct fl_err err = { 0 };
	struct fl_buf body = { 0 };
	char *name = NULL, *encoded = NULL;

	if (image_parse(job_spec(j)->artifact_uri, &image, &err) == -1) {
		launch_failed(j, &err);
		goto out;
	}
	container_write(j, image.ref, &body);
	name = container_name(j);
	encoded = fl_url_encode(name);
	call.body = fl_buf_cstr(&body);
	j->call = engine_start(j->host->engine, &call, on_created, j, "/containers/create?name=%s", encoded);
out:
	image_release(&image);
	fl_buf_release(&body);
	free(name);
	free(encoded);
}

static void
on_volume_made(const struct fl_http_result *res, const struct fl_err *call_err, void *arg)
{
	struct job *j = arg;
	struct fl_err err = { 0 };

	j->call = NULL;
	if (engine_check(j->host->engine, res, call_err, "create the volume", &err) == -1)
		launch_failed(j, &err);
	else if (launch_given_up(j))
		return;
	else if (++j->volumes_made < job_spec(j)->n_volumes)
		j->call = volume_create(j->host, job_spec(j)->volumes[j->volumes_made].name, on_volume_made, j);
	else
		launch_create(j);
}

static void
launch_make(struct job *j)
{
	job_enter(j, JOB_CREATING);
	j->volumes_made = 0;
	j->pulled = false;
	if (j->active->container_id != NULL)
		launch_renew(j, j->active->container_id);
	else if (job_spec(j)->n_volumes > 0)
		j->call = volume_create(j->host, job_spec(j)->volumes[0].name, on_volume_made, j);
	else
		launch_create(j);
}

/* ---- up ---- */

static void
launch_up(struct job *j)
{
	struct host *h = j->host;

	job_enter(j, JOB_UP);
	j->was_up = true;
	j->up_ms = fl_clock_ms();
	job_set_error(j, NULL); /* of the life before, if any */
	services_register(j);
	fl_log_info("job up", fl_str("job", job_id(j)), fl_str("what", job_what(j)), fl_int("port", job_first_port(j)));
	feed_send(h->feed, "up", j);
	state_touch(h->state);
	if (j->manifest_id == NULL)
		return;
	launcher_pump(h->launcher);
	claim_look(h->claim);
}

/* Whether health asks it by HTTP. */
static bool
is_asked(const struct fl_job_port *port)
{
	return port->check != NULL && strcmp(port->check, "http") == 0;
}

static void
on_sockets_known(struct job *j, const char *text)
{
	const struct fl_job_port *port = &job_spec(j)->ports[j->unhealthy_port];
	struct sockets_listener found[SOCKETS_MAX];
	size_t n = sockets_parse(text, found);
	int number = j->active->ports[j->unhealthy_port];
	struct fl_buf error = { 0 };

	if (is_asked(port) && sockets_reach(found, n, number))
		health_explain(port, 0, &error);
	else
		sockets_explain(found, n, job_what(j), number, port->timeout_s, &error);
	job_set_error(j, fl_buf_cstr(&error));
	fl_buf_release(&error);
	ending_stop(j);
}

static void
on_health_known(struct job *j, const struct health_failure *failure)
{
	struct fl_buf error = { 0 };

	if (failure == NULL) {
		launch_up(j);
		return;
	}
	job_enter(j, JOB_FAILING);
	j->unhealthy_port = failure->port;
	/* It answers, but not well: what it listens on needs no look. */
	if (failure->status == 0 && !job_spec(j)->host_network) {
		j->sockets = sockets_start(j, on_sockets_known);
		return;
	}
	if (failure->status != 0)
		health_explain(&job_spec(j)->ports[failure->port], failure->status, &error);
	else
		fl_buf_addf(&error, "%s did not listen on port %d of this machine within %d s: %s", job_what(j),
		    j->active->ports[failure->port], failure->timeout_s, failure->seen);
	job_set_error(j, fl_buf_cstr(&error));
	fl_buf_release(&error);
	ending_stop(j);
}

static void
launch_running(struct job *j, const struct container_info *info, bool adopted)
{
	free(j->active->internal_ip);
	j->active->internal_ip = fl_xstrdup_null(info->ip);
	j->container_started_us = info->started_us;
	job_enter(j, JOB_CHECKING);
	launcher_leave(j);
	if (!adopted || j->active->started_at == 0) {
		j->active->started_at = fl_clock_wall_us();
		j->active->ended_at = 0;
		j->active->exit_status = -1;
		feed_send(j->host->feed, "start", j);
		attach_job_started(j);
	}
	state_touch(j->host->state);
	if (!j->wanted)
		ending_stop(j);
	else if (job_has_service(j) || (job_has_app(j) && !job_is_once(j) && !adopted))
		j->health = health_start(j, on_health_known);
	else
		launch_up(j);
	/* It may have ended in the meantime: what runs once is up, and over, in an instant. */
	if ((j->state == JOB_CHECKING || j->state == JOB_UP) && (!info->running || j->died_us > info->started_us))
		ending_died(j);
}

static void
launch_inspected(struct job *j, const struct fl_http_result *res, const struct fl_err *call_err, bool adopted)
{
	struct container_info info = { 0 };
	struct fl_err err = { 0 };
	struct fl_json *v = NULL;

	j->call = NULL;
	if (engine_check(j->host->engine, res, call_err, "inspect the container", &err) == -1 ||
	    (v = engine_parse(res, &err)) == NULL || container_parse(v, &info, &err) == -1)
		launch_failed(j, &err);
	else
		launch_running(j, &info, adopted);
	container_info_release(&info);
	fl_json_free(v);
}

static void
on_inspected(const struct fl_http_result *res, const struct fl_err *call_err, void *arg)
{
	launch_inspected(arg, res, call_err, false);
}

static void
on_adopted(const struct fl_http_result *res, const struct fl_err *call_err, void *arg)
{
	launch_inspected(arg, res, call_err, true);
}

void
launch_adopt(struct job *j)
{
	j->call = engine_inspect(j->host->engine, j->active->container_id, on_adopted, j);
}

/* ---- start ---- */

/* A port was taken by somebody: another number, and so another container. */
static void
launch_with_other_ports(struct job *j, const struct fl_err *complaint)
{
	struct fl_err err = { 0 };

	fl_log_info("a port is taken, trying another", fl_str("job", job_id(j)), fl_str("err", complaint->msg));
	services_unannounce(j);
	if (ports_replace(j->host->ports, j, complaint->msg, &err) == -1) {
		launch_failed(j, &err);
		return;
	}
	services_announce(j);
	job_enter(j, JOB_CREATING);
	launch_renew(j, j->active->container_id);
}

static void
on_started(const struct fl_http_result *res, const struct fl_err *call_err, void *arg)
{
	struct job *j = arg;
	struct engine *e = j->host->engine;
	struct fl_err err = { 0 };

	j->call = NULL;
	if (engine_check(e, res, call_err, "start the container", &err) == 0) {
		j->port_tries = 0;
		j->call = engine_inspect(e, j->active->container_id, on_inspected, j);
	} else if (err.kind == FL_ERR_NOT_FOUND && call_err == NULL && strstr(err.msg, "No such container") != NULL) {
		free(j->active->container_id);
		j->active->container_id = NULL;
		launch_make(j);
	} else if (ports_are_taken(err.msg) && j->port_tries++ < MAX_PORT_TRIES && j->wanted) {
		launch_with_other_ports(j, &err);
	} else {
		launch_failed(j, &err);
	}
}

static void
launch_ignite(struct job *j)
{
	static const struct engine_call call = { .method = "POST", .timeout_ms = ENGINE_TIMEOUT_MS };

	job_enter(j, JOB_STARTING);
	j->call = engine_start(j->host->engine, &call, on_started, j, "/containers/%s/start", j->active->container_id);
}

static void
on_nobody_attached(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct job *j = arg;
	struct fl_err err = { 0 };

	event_free(j->timer);
	j->timer = NULL;
	fl_err_set(&err, FL_ERR_TIMEOUT, "%s was not started: nobody attached to it within %d s", job_what(j), ATTACH_WAIT_S);
	launch_failed(j, &err);
}

/* The container is there. Who is to see all its output, or feed it, must be connected before it starts. */
static void
launch_run(struct job *j)
{
	static const struct timeval wait = { ATTACH_WAIT_S, 0 };

	if (!attach_must_wait(j)) {
		launch_ignite(j);
		return;
	}
	job_enter(j, JOB_ATTACHING);
	launcher_leave(j);
	j->timer = event_new(j->host->base, -1, 0, on_nobody_attached, j);
	event_add(j->timer, &wait);
	attach_connect(j);
}

void
launch_attached(struct job *j)
{
	if (j->state != JOB_ATTACHING)
		return;
	event_free(j->timer);
	j->timer = NULL;
	launch_ignite(j);
}

void
launch_start(struct job *j)
{
	struct fl_err err = { 0 };

	if (launch_given_up(j))
		return;
	if (ports_take(j->host->ports, j, &err) == -1) {
		launch_failed(j, &err);
		return;
	}
	services_announce(j);
	if (j->active->container_id != NULL && !j->renew_container)
		launch_run(j);
	else
		launch_make(j);
}
