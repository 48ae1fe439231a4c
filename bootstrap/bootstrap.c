#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bootstrap/bootstrap.h"
#include "bootstrap/claim.h"
#include "bootstrap/manifest.h"
#include "bootstrap/online_hosts.h"
#include "bootstrap/service_call.h"
#include "bootstrap/step.h"
#include "libflynn/attr.h"
#include "libflynn/discoverd.h"
#include "libflynn/err.h"
#include "libflynn/host_client.h"
#include "libflynn/http_client.h"
#include "libflynn/map.h"
#include "libflynn/url.h"
#include "libflynn/xmalloc.h"

static void
on_hosts_online(const struct fl_err *err, void *arg)
{
	struct bootstrap *b = arg;

	if (err != NULL) {
		fprintf(stderr, "%s\n", err->msg);
		bootstrap_end(b, EXIT_FAILURE);
		return;
	}
	for (size_t i = 0; i < b->manifest->n && !b->ended; i++)
		if (b->manifest->steps[i]->n_after == 0 && b->manifest->steps[i]->state == STEP_WAITING)
			step_start(b->manifest->steps[i]);
}

/* The steps that wait for jobs find out whether it is one of theirs. */
static void
tell_steps(struct bootstrap *b, const struct fl_active_job *job)
{
	for (size_t i = 0; i < b->manifest->n && !b->ended; i++) {
		struct step *s = b->manifest->steps[i];

		if (s->state == STEP_RUNNING && s->on_job != NULL)
			s->on_job(s, job);
	}
}

static void
on_current_jobs(struct fl_active_job *const *jobs, size_t n, void *arg)
{
	for (size_t i = 0; i < n; i++)
		tell_steps(arg, jobs[i]);
}

static void
on_job_event(FL_UNUSED const char *kind, const struct fl_active_job *job, void *arg)
{
	tell_steps(arg, job);
}

static const struct fl_host_events_ops events_ops = { on_current_jobs, on_job_event, NULL };

static void
on_granted(const char *key, const char *host_id, void *arg)
{
	struct bootstrap *b = arg;

	b->host_id = fl_xstrdup(host_id);
	b->http = fl_http_client_new(b->base, key);
	b->discoverd = fl_discoverd_new(b->base, b->cfg->discoverd, key);
	b->events = fl_host_events_start(b->http, b->host_addr, &events_ops, b);
	b->hosts = hosts_wait_start(b, b->cfg->min_hosts, on_hosts_online);
}

static void
on_claim_failed(const struct fl_err *err, void *arg)
{
	struct bootstrap *b = arg;

	if (b->ended)
		return;
	fprintf(stderr, "%s\n", err->msg);
	bootstrap_end(b, err->kind == FL_ERR_CONFLICT ? BOOTSTRAP_EXIT_EXISTS : EXIT_FAILURE);
}

static const struct claim_ops claim_ops = { on_granted, on_claim_failed };

/* As the first process of a container we would else be deaf to signals. */
static void
on_signal(evutil_socket_t sig, FL_UNUSED short what, void *arg)
{
	fprintf(stderr, "%s: the claim is void, the next bootstrap begins with a clean host\n", strsignal((int)sig));
	bootstrap_end(arg, 128 + (int)sig);
}

static void
catch_signals(struct bootstrap *b)
{
	static const int signals[fl_nitems(b->signals)] = { SIGINT, SIGTERM };

	for (size_t i = 0; i < fl_nitems(signals); i++) {
		b->signals[i] = evsignal_new(b->base, signals[i], on_signal, b);
		event_add(b->signals[i], NULL);
	}
}

static char *
host_addr_of(const char *discoverd, struct fl_err *err)
{
	char *host = NULL, *addr = NULL;
	int port;

	if (fl_url_hostport(discoverd, &host, &port, err) == -1 || *host == '\0')
		fl_err_set(err, FL_ERR_INVALID, "\"%s\" is no place of discoverd: set DISCOVERD to its ip:port, as 192.0.2.1:1111", discoverd);
	else
		addr = fl_xasprintf("%s:%d", host, FL_HOST_PORT);
	free(host);
	return addr;
}

struct bootstrap *
bootstrap_new(struct event_base *base, const struct bootstrap_config *cfg, struct fl_err *err)
{
	struct bootstrap *b = fl_xcalloc(1, sizeof(*b));

	b->cfg = cfg;
	b->base = base;
	b->providers = fl_map_new();
	LIST_INIT(&b->calls);
	if (cfg->min_hosts < 1) {
		fl_err_set(err, FL_ERR_INVALID, "-min-hosts %d: a cluster has at least one host", cfg->min_hosts);
		goto fail;
	}
	if ((b->host_addr = host_addr_of(cfg->discoverd, err)) == NULL || (b->manifest = manifest_read(b, cfg->manifest, err)) == NULL)
		goto fail;
	catch_signals(b);
	b->claim = claim_start(b, b->host_addr, &claim_ops);
	return b;
fail:
	bootstrap_free(b);
	return NULL;
}

void
bootstrap_end(struct bootstrap *b, int status)
{
	if (b->ended)
		return;
	b->ended = true;
	b->status = status;
	event_base_loopexit(b->base, NULL); /* what is freed under its own callback is freed before */
}

void
bootstrap_free(struct bootstrap *b)
{
	if (b == NULL)
		return;
	for (size_t i = 0; i < fl_nitems(b->signals); i++)
		if (b->signals[i] != NULL)
			event_free(b->signals[i]);
	manifest_free(b->manifest);
	fl_host_events_free(b->events);
	hosts_wait_free(b->hosts);
	if (b->discoverd != NULL)
		fl_discoverd_free(b->discoverd);
	if (b->http != NULL)
		fl_http_client_free(b->http);
	service_calls_free(b);
	claim_free(b->claim);
	fl_map_free(b->providers);
	free(b->host_addr);
	free(b->host_id);
	free(b->controller_key);
	free(b);
}
