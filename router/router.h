/*
 * router - the daemon: the control thread with etcd, discoverd and the API, and the workers.
 */
#ifndef ROUTER_ROUTER_H
#define ROUTER_ROUTER_H

#include <stddef.h>
#include <stdint.h>

#include "router/access_log.h"
#include "router/plane.h"
#include "router/worker.h"

struct acme;
struct cidr_list;
struct doors;
struct event_base;
struct fl_discoverd;
struct fl_err;
struct fl_etcd;
struct fl_http;
struct requests;
struct router_api;
struct sync;
struct tickets;

struct router_config {
	char *http_addr, *https_addr, *api_addr, *tcp_ip;
	char *etcd_urls, *discoverd_addr, *external_ip, *key;
	int port; /* of the API, unless api_addr is given */
	int start_timeout_s;
	int tcp_range_start, tcp_range_end; /* of ports that are allocated to TCP routes */
	int n_threads; /* 0: one a core */
	int head_timeout_s, answer_timeout_s;
	int idle_timeout_s, body_timeout_s, send_timeout_s, drain_timeout_s;
	int min_rate; /* bytes a second */
	int buffer_mib; /* 0: an eighth of the machine's memory */
	int max_connections; /* 0: as many as there are descriptors for */
	int max_connections_per_client; /* 0: any */
	bool is_proxied;
	char *trusted_proxies;
	struct cidr_list *trusted; /* parsed of it; NULL: the option was not given */
	int n_requests; /* to remember */
	char *route_metrics; /* "on", "off" */
	char *default_cert; /* see tls_cert_default(); NULL: none */
	int ticket_rotation_s;
	char *acme_directory, *acme_email, *acme_ca, *acme_eab_kid, *acme_eab_key, *acme_challenge; /* directory NULL: no ACME */
	int acme_retry_s;
	char *access_log, *access_log_to;
	struct access_log_mode access_log_mode; /* parsed of access_log */
};

struct router {
	struct event_base *base;
	const struct router_config *cfg;
	struct plane plane;
	struct worker **workers;
	size_t n_workers;
	int own_ports[3]; /* http, https, API: no TCP route may have them */
	struct fl_etcd *etcd;
	struct fl_discoverd *discoverd;
	struct sync *sync;
	struct tickets *tickets;
	struct acme *acme; /* NULL: no ACME here */
	struct fl_http *http;
	struct router_api *api;
	struct requests *requests;
	struct access_log *access_log; /* NULL: off */
	struct doors *doors;
};

/*
 * Listening on all addresses. Connections are accepted once the routes and their instances are
 * known, or after a while without: they wait until then. cfg is borrowed. NULL with err.
 */
struct router *router_new(struct event_base *base, const struct router_config *cfg, struct fl_err *err);
/* Accept no more, finish what is under way, then end the loop. */
void router_stop(void *router);
void router_free(struct router *r);

/* Of all workers. */
uint64_t router_counter(const struct router *r, enum counter c);

#endif
