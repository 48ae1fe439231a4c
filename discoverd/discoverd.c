#include "discoverd/discoverd.h"

#include <event2/event.h>
#include <stdlib.h>

#include "discoverd/dns.h"
#include "discoverd/registry.h"
#include "discoverd/store.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/http_server.h"
#include "libflynn/xmalloc.h"

static void
gauge(struct fl_buf *out, const char *name, const char *help, size_t value)
{
	fl_buf_addf(out, "# TYPE %s gauge\n# HELP %s %s\n%s %zu\n", name, name, help, name, value);
}

static void
metrics(struct fl_buf *out, void *arg)
{
	const struct discoverd *d = arg;

	gauge(out, "discoverd_known", "Whether etcd was read.", registry_is_known(d->registry));
	gauge(out, "discoverd_services", "Services.", registry_count_services(d->registry));
	gauge(out, "discoverd_instances", "Instances that are up.", registry_count_instances(d->registry));
	gauge(out, "discoverd_sessions", "Sessions of owners of instances.", store_count_sessions(d->store));
	gauge(out, "discoverd_watches", "Event streams.", registry_count_watches(d->registry));
	if (d->dns != NULL)
		dns_metrics(d->dns, out);
}

struct discoverd *
discoverd_new(struct event_base *base, const struct discoverd_config *cfg, struct fl_err *err)
{
	struct discoverd *d = fl_xcalloc(1, sizeof(*d));

	d->base = base;
	d->registry = registry_new();
	d->store = store_new(base, cfg->etcd_urls, cfg->key, d->registry);
	d->http = fl_http_new(base, cfg->key);
	fl_http_set_metrics(d->http, metrics);
	if (api_listen(d, cfg->http_addr, err) == -1)
		goto failed;
	if (cfg->dns_addrs.n > 0 && (d->dns = dns_new(base, &cfg->dns_addrs, &cfg->recursors, d->registry, err)) == NULL)
		goto failed;
	return d;
failed:
	discoverd_free(d);
	return NULL;
}

/* Answers that are due need the store's callbacks, streams the registry. */
void
discoverd_free(struct discoverd *d)
{
	if (d == NULL)
		return;
	dns_free(d->dns);
	store_free(d->store);
	fl_http_free(d->http);
	registry_free(d->registry);
	free(d);
}

static void
on_drained(void *arg)
{
	struct discoverd *d = arg;

	event_base_loopexit(d->base, NULL);
}

void
discoverd_stop(void *arg)
{
	struct discoverd *d = arg;

	fl_http_drain(d->http, on_drained, d);
}
