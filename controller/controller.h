/*
 * controller - the daemon's state: what it was told, what it talks to, who listens to it.
 */
#ifndef CONTROLLER_CONTROLLER_H
#define CONTROLLER_CONTROLLER_H

#include "libflynn/list.h"

struct collector;
struct deployer;
struct deployments;
struct event_base;
struct events;
struct fl_discoverd;
struct fl_discoverd_service;
struct fl_err;
struct fl_http;
struct fl_http_client;
struct fl_pg;
struct formation_events;
struct job_events;
struct retention;
struct schema;

struct controller_config {
	char *port;
	char *auth_key; /* a comma list: any of them opens the API */
	char *cluster_key;
	char *discoverd;
	char *postgres;		/* the service to find PostgreSQL by */
	char *pg_host, *pg_port; /* instead of the service, when given */
	char *pg_user, *pg_password, *pg_database;
	char *default_route_domain; /* NULL: apps get no route of their own */
	char *name_seed;	    /* hex: the key of generated names */
	int reader_timeout_s; /* who takes nothing of what waits for him for so long is cut off */
	int keep_releases; /* that an app can go back to, beside its current one */
};

struct controller {
	struct event_base *base;
	const struct controller_config *cfg;
	struct fl_http *http;
	struct fl_discoverd *discoverd; /* NULL without $DISCOVERD */
	struct fl_http_client *client;	/* speaks with the cluster key */
	struct fl_discoverd_service *postgres, *hosts, *routers;
	struct fl_pg *pg; /* queries wait in it until the schema stands */
	struct schema *schema;
	struct formation_events *formation_events;
	struct job_events *job_events;
	struct events *events;
	struct retention *retention;
	struct collector *collector; /* NULL: the schema does not stand yet */
	struct deployments *deployments;
	struct deployer *deployer; /* NULL: the schema does not stand yet */
	int to_end; /* what has yet to end before we do */
	LIST_HEAD(, run) runs; /* one-off jobs being started or attached */
	LIST_HEAD(, exec) execs; /* commands beside jobs, being started or attached */
	LIST_HEAD(, rpc) rpcs; /* connections of Go's net/rpc */
	LIST_HEAD(, log) logs; /* being sent */
	LIST_HEAD(, app_log) app_logs;
	LIST_HEAD(, asking) askings; /* for requests that routers had */
};

/* Connects, migrates and listens; cfg must outlive it. NULL: INVALID or SYSTEM. */
struct controller *controller_new(struct event_base *base, const struct controller_config *cfg, struct fl_err *err);
/* Stop accepting and end the loop once the last answer is out. arg is the controller. */
void controller_stop(void *arg);
void controller_free(struct controller *c);

#endif
