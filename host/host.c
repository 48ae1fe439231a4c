#include "host/host.h"

#include <arpa/inet.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "host/api.h"
#include "host/attach.h"
#include "host/claim.h"
#include "host/ending.h"
#include "host/engine.h"
#include "host/exec.h"
#include "host/feed.h"
#include "host/identify.h"
#include "host/job.h"
#include "host/launcher.h"
#include "host/manifest.h"
#include "host/ports.h"
#include "host/restore.h"
#include "host/services.h"
#include "host/state.h"
#include "host/template.h"
#include "libflynn/buf.h"
#include "libflynn/discoverd.h"
#include "libflynn/err.h"
#include "libflynn/http_client.h"
#include "libflynn/http_server.h"
#include "libflynn/log.h"
#include "libflynn/random.h"
#include "libflynn/xmalloc.h"

#define KEY_BYTES 16

/* ---- the engine comes and goes ---- */

static void
on_identified(struct host *h)
{
	h->identify = NULL;
	restore_request(h);
}

static void
on_engine_up(void *arg)
{
	struct host *h = arg;

	if (h->identify == NULL && !h->ready)
		h->identify = identify_start(h, on_identified);
	else
		restore_request(h);
}

static void
on_engine_down(void *arg)
{
	struct host *h = arg;

	/* Begun anew when it is back. */
	identify_cancel(h->identify);
	h->identify = NULL;
}

static void
on_engine_event(const struct engine_event *ev, void *arg)
{
	struct host *h = arg;
	struct job *j;

	if (h->id == NULL || strcmp(ev->host_id, h->id) != 0 || strcmp(ev->action, "die") != 0 ||
	    (j = job_find(h, ev->job_id)) == NULL || j->active->container_id == NULL ||
	    strcmp(j->active->container_id, ev->container_id) != 0)
		return;
	j->died_us = ev->time_us;
	if ((j->state == JOB_CHECKING || j->state == JOB_UP || j->state == JOB_FAILING) && j->died_us > j->container_started_us)
		ending_died(j);
}

/* ---- the key ---- */

static void
join_discoverd(struct host *h)
{
	char *addr = fl_xasprintf("%s:1111", h->cfg->external_ip);

	h->discoverd = fl_discoverd_new(h->base, addr, h->key);
	free(addr);
}

void
host_change_key(struct host *h)
{
	free(h->key);
	h->key = fl_random_hex(KEY_BYTES);
	fl_discoverd_free(h->discoverd);
	services_release(h);
	join_discoverd(h);
	services_register_host(h);
}

int
host_check_ready(const struct host *h, struct fl_err *err)
{
	if (!engine_is_up(h->engine))
		return fl_err_set(err, FL_ERR_UNAVAILABLE,
		    "the Docker engine at %s does not answer: what runs goes on, try again when the engine is back", h->cfg->docker_socket);
	if (!h->ready)
		return fl_err_set(err, FL_ERR_UNAVAILABLE, "host is starting: try again in a moment");
	return 0;
}

/* ---- beginning ---- */

static int
host_listen(struct host *h, struct fl_err *err)
{
	join_discoverd(h);
	return api_listen(h, err);
}

void
host_begin(struct host *h)
{
	struct fl_err err = { 0 };

	/* Nobody is told a key that we might forget. */
	state_touch(h->state);
	state_flush(h->state, NULL);
	if (h->http == NULL && host_listen(h, &err) == -1) {
		fl_log_error("cannot listen", fl_str("err", err.msg));
		h->failed = true;
		event_base_loopbreak(h->base);
		return;
	}
	h->ready = true;
	services_register_host(h);
	fl_log_info("ready", fl_str("host", h->id), fl_str("external_ip", h->cfg->external_ip), fl_str("bridge_ip", h->bridge_ip),
	    fl_int("port", h->cfg->http_port), fl_int("jobs", h->n_jobs));
	launcher_open(h->launcher);
	ending_prune_soon(h);
}

static const char *
no_env(FL_UNUSED const char *name)
{
	return NULL;
}

/* What is wrong with the manifest is said at the start, not when the engine has been found. */
static int
check_manifest(const struct manifest *m, struct fl_err *err)
{
	const struct template_data data = { .external_ip = "192.0.2.1", .bridge_ip = "192.0.2.2", .host_id = "host", .env = no_env };

	for (size_t i = 0; i < manifest_count(m); i++) {
		struct fl_job *job = manifest_job(m, i, &data, err);

		if (job == NULL)
			return -1;
		fl_job_free(job);
	}
	return 0;
}

static int
check_id(const struct host *h, struct fl_err *err)
{
	if (h->cfg->id == NULL || *h->cfg->id == '\0')
		return 0;
	if (strspn(h->cfg->id, "abcdefghijklmnopqrstuvwxyz0123456789") != strlen(h->cfg->id))
		return fl_err_set(err, FL_ERR_INVALID, "-id %s: a host id is of a-z and 0-9", h->cfg->id);
	if (h->id != NULL && strcmp(h->id, h->cfg->id) != 0)
		return fl_err_set(err, FL_ERR_INVALID, "-id %s: this host is %s by its state in %s", h->cfg->id, h->id, h->cfg->state_path);
	return 0;
}

struct host *
host_new(struct event_base *base, const struct host_config *cfg, struct fl_err *err)
{
	static const struct engine_ops ops = { .on_up = on_engine_up, .on_down = on_engine_down, .on_event = on_engine_event };
	struct host *h = fl_xcalloc(1, sizeof(*h)), *made = NULL;

	h->base = base;
	h->cfg = cfg;
	TAILQ_INIT(&h->jobs);
	LIST_INIT(&h->waiting);
	LIST_INIT(&h->execs);
	LIST_INIT(&h->leaving);
	h->ports = ports_new();
	h->launcher = launcher_new(h);
	h->restore = restore_new(h);
	h->claim = claim_new(h);
	h->feed = feed_new(h);
	h->client = fl_http_client_new(base, NULL);
	if ((h->manifest = manifest_load(cfg->manifest, err)) == NULL || check_manifest(h->manifest, err) == -1 ||
	    (h->state = state_load(h, err)) == NULL || check_id(h, err) == -1)
		goto out;
	if (h->id == NULL && cfg->id != NULL && *cfg->id != '\0')
		h->id = fl_xstrdup(cfg->id);
	if (h->key != NULL && host_listen(h, err) == -1)
		goto out;
	h->engine = engine_new(base, cfg->docker_socket, &ops, h);
	made = h;
	h = NULL;
out:
	host_free(h);
	return made;
}

bool
host_has_failed(const struct host *h)
{
	return h->failed;
}

bool
host_is_ipv4(const char *text)
{
	struct in_addr addr;

	return inet_pton(AF_INET, text, &addr) == 1;
}

void
host_stop(void *arg)
{
	struct host *h = arg;
	struct fl_err err = { 0 };

	h->stopping = true;
	state_flush(h->state, &err);
	/* Requests here are streams without an end: nothing is drained by waiting for them. */
	event_base_loopexit(h->base, NULL);
}

void
host_free(struct host *h)
{
	struct job *j, *next;

	if (h == NULL)
		return;
	h->stopping = true;
	attach_release_waiting(h);
	exec_release_all(h);
	TAILQ_FOREACH_SAFE (j, &h->jobs, link, next)
		job_free(j);
	identify_cancel(h->identify);
	restore_free(h->restore);
	claim_free(h->claim);
	fl_http_free(h->http);
	feed_free(h->feed);
	engine_free(h->engine);
	launcher_free(h->launcher);
	state_free(h->state);
	manifest_free(h->manifest);
	ports_free(h->ports);
	if (h->prune != NULL)
		event_free(h->prune);
	fl_http_client_free(h->client);
	fl_discoverd_abandon(h->discoverd); /* containers run on */
	services_release(h);
	free(h->id);
	free(h->key);
	free(h->bridge_ip);
	free(h->self_id);
	free(h);
}
