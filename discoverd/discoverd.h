/*
 * discoverd - the daemon: service registry of the cluster, by HTTP and by DNS.
 */
#ifndef DISCOVERD_DISCOVERD_H
#define DISCOVERD_DISCOVERD_H

#include "libflynn/args.h"

struct dns;
struct event_base;
struct fl_err;
struct fl_http;
struct registry;
struct store;

struct discoverd_config {
	char *http_addr;
	struct fl_args_list dns_addrs; /* empty: no DNS */
	struct fl_args_list recursors; /* empty: those of /etc/resolv.conf */
	char *etcd_urls;
	char *key; /* NULL: everybody may do everything */
};

struct discoverd {
	struct event_base *base;
	struct registry *registry;
	struct store *store;
	struct fl_http *http;
	struct dns *dns; /* NULL: none */
};

/* Listens at once and answers what it can; etcd may come later. cfg is not kept. */
struct discoverd *discoverd_new(struct event_base *base, const struct discoverd_config *cfg, struct fl_err *err);
void discoverd_free(struct discoverd *d);
/* End event streams, finish what is under way, then end the loop. */
void discoverd_stop(void *arg);

/* The HTTP API (api.c). */
int api_listen(struct discoverd *d, const char *addr, struct fl_err *err);

#endif
