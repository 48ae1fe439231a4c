#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "action_run_app.h"
#include "bootstrap.h"
#include "claim.h"
#include "libflynn/discoverd.h"
#include "libflynn/err.h"
#include "libflynn/host_client.h"
#include "libflynn/http_client.h"
#include "libflynn/log.h"
#include "libflynn/map.h"
#include "libflynn/url.h"
#include "libflynn/xmalloc.h"
#include "manifest.h"
#include "online_hosts.h"
#include "step.h"

static void
on_hosts_online(const struct fl_err *err, void *arg)
{
	struct bootstrap *b = arg;

	if (err != NULL) {
		fl_log_error("too few hosts", fl_str("err", err->msg));
		bootstrap_end(b, EXIT_FAILURE);
		return;
	}
	for (size_t i = 0; i < b->manifest->n && b->status == 0; i++)
		if (b->manifest->steps[i]->n_after == 0 && b->manifest->steps[i]->state == STEP_WAITING)
			step_start(b->manifest->steps[i]);
}

static void
on_granted(const char *key, const char *host_id, void *arg)
{
	struct bootstrap *b = arg;

	b->host_id = fl_xstrdup(host_id);
	b->http = fl_http_client_new(b->base, key);
	b->discoverd = fl_discoverd_new(b->base, b->cfg->discoverd, key);
	b->events = fl_host_events_start(b->http, b->host_addr, &run_app_events, b);
	b->hosts = hosts_wait_start(b, b->cfg->min_hosts, on_hosts_online);
}

static void
on_claim_failed(const struct fl_err *err, void *arg)
{
	struct bootstrap *b = arg;

	if (b->status != 0)
		return;
	fprintf(stderr, "%s\n", err->msg);
	bootstrap_end(b, err->kind == FL_ERR_CONFLICT ? BOOTSTRAP_EXIT_EXISTS : EXIT_FAILURE);
}

static const struct claim_ops claim_ops = { on_granted, on_claim_failed };

struct bootstrap *
bootstrap_new(struct event_base *base, const struct bootstrap_config *cfg, struct fl_err *err)
{
	struct bootstrap *b = fl_xcalloc(1, sizeof(*b));
	char *host = NULL;
	int port;

	b->cfg = cfg;
	b->base = base;
	b->job_steps = fl_map_new();
	b->provider_ids = fl_map_new();
	if (fl_url_hostport(cfg->discoverd, &host, &port, err) == -1) {
		fl_err_wrap(err, "DISCOVERD must be the ip:port of discoverd, as 192.0.2.1:1111");
		goto fail;
	}
	if ((b->manifest = manifest_read(b, cfg->manifest, err)) == NULL)
		goto fail;
	b->host_addr = fl_xasprintf("%s:%d", host, FL_HOST_PORT);
	b->claim = claim_start(b, b->host_addr, &claim_ops);
	free(host);
	return b;
fail:
	free(host);
	bootstrap_free(b);
	return NULL;
}

void
bootstrap_end(struct bootstrap *b, int status)
{
	b->status = status;
	event_base_loopbreak(b->base);
}

void
bootstrap_free(struct bootstrap *b)
{
	if (b == NULL)
		return;
	manifest_free(b->manifest);
	fl_host_events_free(b->events);
	hosts_wait_free(b->hosts);
	if (b->discoverd != NULL)
		fl_discoverd_free(b->discoverd);
	if (b->http != NULL)
		fl_http_client_free(b->http);
	claim_free(b->claim);
	fl_map_free(b->job_steps);
	fl_map_free_with(b->provider_ids, free);
	free(b->host_addr);
	free(b->host_id);
	free(b->controller_key);
	free(b);
}
