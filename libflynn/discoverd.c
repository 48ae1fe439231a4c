/*
 * discoverd - the client: where discoverd is, and whose key we hold.
 */
#include "libflynn/discoverd.h"

#include <stdlib.h>
#include <string.h>

#include "libflynn/discoverd_internal.h"
#include "libflynn/http_client.h"
#include "libflynn/map.h"
#include "libflynn/xmalloc.h"

#define DEFAULT_ADDR "127.0.0.1:1111"

static void
add_url(struct fl_discoverd *d, const char *addr, size_t len)
{
	bool has_scheme = memmem(addr, len, "://", 3) != NULL;

	while (len > 0 && addr[len - 1] == '/')
		len--;
	if (len == 0)
		return;
	d->urls = fl_xreallocarray(d->urls, d->n_urls + 1, sizeof(*d->urls));
	d->urls[d->n_urls++] = fl_xasprintf("%s%.*s", has_scheme ? "" : "http://", (int)len, addr);
}

static void
split_addrs(struct fl_discoverd *d, const char *addr)
{
	if (addr != NULL && strcmp(addr, "none") != 0)
		for (const char *p = addr; *p != '\0'; p += *p == ',') {
			size_t len = strcspn(p, ",");

			add_url(d, p, len);
			p += len;
		}
	if (d->n_urls == 0)
		add_url(d, DEFAULT_ADDR, strlen(DEFAULT_ADDR));
}

struct fl_discoverd *
fl_discoverd_new(struct event_base *base, const char *addr, const char *key)
{
	struct fl_discoverd *d = fl_xcalloc(1, sizeof(*d));

	d->base = base;
	d->http = fl_http_client_new(base, key);
	d->key = fl_xstrdup_null(key);
	TAILQ_INIT(&d->services);
	d->by_name = fl_map_new();
	TAILQ_INIT(&d->finds);
	split_addrs(d, addr);
	registrar_init(d);
	return d;
}

void
fl_discoverd_free(struct fl_discoverd *d)
{
	if (d == NULL)
		return;
	registrar_release(d);
	while (!TAILQ_EMPTY(&d->finds))
		find_free(TAILQ_FIRST(&d->finds));
	while (!TAILQ_EMPTY(&d->services))
		fl_discoverd_unwatch(TAILQ_FIRST(&d->services));
	fl_map_free(d->by_name);
	share_release(d);
	fl_http_client_free(d->http);
	for (size_t i = 0; i < d->n_urls; i++)
		free(d->urls[i]);
	free(d->urls);
	free(d->key);
	free(d);
}

void
fl_discoverd_abandon(struct fl_discoverd *d)
{
	if (d != NULL)
		d->reg.alive = false; /* as far as goodbyes go */
	fl_discoverd_free(d);
}

