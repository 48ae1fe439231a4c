#include "host/recover.h"

#include <event2/event.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/claim.h"
#include "host/container.h"
#include "host/engine.h"
#include "host/job.h"
#include "host/manifest.h"
#include "host/ports.h"
#include "libflynn/http_client.h"
#include "libflynn/json.h"
#include "libflynn/log.h"
#include "libflynn/map.h"
#include "libflynn/random.h"
#include "libflynn/url.h"
#include "libflynn/xmalloc.h"

#define KEY_BYTES 16
#define RETRY_S 2
#define US_PER_S 1000000
#define KEY_VARIABLE "CLUSTER_KEY="

struct recover {
	struct host *host;
	struct fl_json *containers;
	size_t next; /* of the containers to be asked for the key */
	struct fl_http_call *call;
	struct event *go_on;
	bool asks_claim; /* the key was found */
	void (*cb)(const struct fl_json *, void *);
	void *arg;
};

static const char *
label(const struct fl_json *container, const char *name)
{
	return fl_json_text(fl_json_get(container, "Labels"), name);
}

/* ---- jobs ---- */

static void
read_ports(struct job *j, const char *text)
{
	for (size_t i = 0; i < job_spec(j)->n_ports; i++) {
		int port = atoi(text);

		j->active->ports[i] = port > 0 && port <= PORTS_LAST ? port : 0;
		text += strcspn(text, ",");
		text += *text == ',';
	}
	ports_retake(j->host->ports, j);
}

struct job *
recover_job(struct host *h, const struct fl_json *container)
{
	const char *text = label(container, HOST_LABEL_SPEC);
	const char *name = fl_json_str(fl_json_at(fl_json_get(container, "Names"), 0), "");
	struct fl_json *v = fl_json_parse(text, strlen(text), NULL);
	struct fl_job *spec = v != NULL ? fl_job_parse(v, NULL) : NULL;
	struct job *j = NULL;
	int64_t created_at;

	fl_json_free(v);
	if (spec == NULL || strcmp(spec->id, label(container, HOST_LABEL_JOB)) != 0) {
		fl_job_free(spec);
		return NULL;
	}
	/* The engine tells seconds: those of one second are in the order in which they are found, oldest first. */
	created_at = fl_json_int(fl_json_get(container, "Created"), 0) * US_PER_S + (int64_t)h->n_jobs;
	j = job_new(h, job_active_of(h, spec, created_at));
	j->manifest_id = fl_xstrdup_null(fl_map_get(spec->metadata, MANIFEST_META));
	j->active->container_id = fl_xstrdup_null(fl_json_str(fl_json_get(container, "Id"), NULL));
	j->wanted = !container_name_is_ended(name);
	j->was_up = true;
	read_ports(j, label(container, HOST_LABEL_PORTS));
	fl_log_info("found a job by the label of its container", fl_str("job", job_id(j)), fl_str("what", job_what(j)));
	return j;
}

/* ---- key and claim ---- */

void
recover_cancel(struct recover *r)
{
	if (r == NULL)
		return;
	if (r->call != NULL)
		fl_http_call_cancel(r->call);
	if (r->go_on != NULL)
		event_free(r->go_on);
	fl_json_free(r->containers);
	free(r);
}

static void
recover_end(struct recover *r)
{
	void (*cb)(const struct fl_json *, void *) = r->cb;
	struct fl_json *containers = r->containers;
	void *arg = r->arg;

	r->containers = NULL;
	recover_cancel(r);
	cb(containers, arg);
	fl_json_free(containers);
}

/* An engine that is just going away is no engine that has nothing: another key would be none of the cluster's. */
static void
ask_again(struct recover *r)
{
	static const struct timeval retry = { RETRY_S, 0 };

	evtimer_add(r->go_on, &retry);
}

static void
on_claim_known(const struct fl_http_result *res, const struct fl_err *call_err, void *arg)
{
	struct recover *r = arg;

	r->call = NULL;
	if (call_err != NULL) {
		ask_again(r);
		return;
	}
	/* In doubt it is held: then nobody is handed a key that others have, and the next bootstrap begins anew. */
	claim_set(r->host->claim, res->status == 200 ? "complete" : "held");
	recover_end(r);
}

static void
ask_claim(struct recover *r)
{
	r->asks_claim = true;
	r->call = engine_start(r->host->engine, NULL, on_claim_known, r, "/volumes/flynn-%s.claim", r->host->id);
}

static void ask_next(struct recover *r);

static void
on_inspected(const struct fl_http_result *res, const struct fl_err *call_err, void *arg)
{
	struct recover *r = arg;
	struct host *h = r->host;
	struct fl_json *v = NULL;
	const struct fl_json *env;

	r->call = NULL;
	if (call_err != NULL) {
		r->next--;
		ask_again(r);
		return;
	}
	v = engine_parse(res, NULL);
	env = fl_json_get(fl_json_get(v, "Config"), "Env");
	for (size_t i = 0; i < fl_json_len(env) && h->key == NULL; i++) {
		const char *pair = fl_json_str(fl_json_at(env, i), "");

		if (strncmp(pair, KEY_VARIABLE, strlen(KEY_VARIABLE)) == 0)
			h->key = fl_xstrdup(pair + strlen(KEY_VARIABLE));
	}
	fl_json_free(v);
	if (h->key == NULL) {
		ask_next(r);
		return;
	}
	fl_log_warn("the state is lost: found the cluster key in a container");
	ask_claim(r);
}

static bool
may_have_key(const struct host *h, const struct fl_json *container)
{
	const char *text = label(container, HOST_LABEL_SPEC);

	return strcmp(label(container, HOST_LABEL), h->id) == 0 && strstr(text, "\"system\":true") != NULL;
}

static void
ask_next(struct recover *r)
{
	struct host *h = r->host;

	for (; r->next < fl_json_len(r->containers); r->next++) {
		const struct fl_json *c = fl_json_at(r->containers, r->next);

		if (!may_have_key(h, c))
			continue;
		r->next++;
		r->call = engine_inspect(h->engine, fl_json_text(c, "Id"), on_inspected, r);
		return;
	}
	h->key = fl_random_hex(KEY_BYTES);
	recover_end(r);
}

static void
on_go_on(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct recover *r = arg;

	if (r->asks_claim)
		ask_claim(r);
	else if (r->host->key != NULL)
		recover_end(r);
	else
		ask_next(r);
}

struct recover *
recover_start(struct host *h, struct fl_json *containers, void (*cb)(const struct fl_json *, void *), void *arg)
{
	struct recover *r = fl_xcalloc(1, sizeof(*r));

	*r = (struct recover){ .host = h, .containers = containers, .cb = cb, .arg = arg };
	r->go_on = event_new(h->base, -1, 0, on_go_on, r);
	event_active(r->go_on, 0, 0);
	return r;
}
