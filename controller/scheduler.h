/*
 * scheduler - makes what runs equal to what formations ask for, on every host, always.
 *
 * It keeps no state: the world is read from the controller's formation stream and from each host's event
 * stream. Only the leader of its service acts; the others follow, so that they can take over at once.
 */
#ifndef CONTROLLER_SCHEDULER_H
#define CONTROLLER_SCHEDULER_H

#include <stdbool.h>
#include <stdint.h>

#include "controller/scheduler_world.h"

struct event;
struct event_base;
struct fl_discoverd;
struct fl_discoverd_service;
struct fl_err;
struct fl_http;
struct fl_http_client;
struct formations;
struct hosts;
struct records;
struct stale;

struct scheduler_config {
	char *discoverd;
	char *external_ip;
	char *service;	   /* ours, whose leader acts */
	char *cluster_key; /* for hosts and discoverd */
	char *auth_key;	   /* the controller's; the first of a comma list is used */
	int port;	   /* of ping and metrics; our address in the service */
};

struct scheduler {
	const struct scheduler_config *cfg;
	struct event_base *base;
	struct fl_discoverd *discoverd;
	struct fl_discoverd_service *peers;
	struct fl_http_client *hosts_http;	/* sends the cluster key */
	struct fl_http_client *controller_http; /* sends the controller key */
	struct fl_http *http;
	struct world world;
	struct formations *formations;
	struct hosts *hosts;
	struct records *records;
	struct stale *stale;
	struct event *look; /* fires once after any number of changes */
	struct event *wake; /* when a back-off ends */
	char *self;	    /* our ip:port */
	bool leader;
};

/* Borrows cfg and base. NULL: INVALID when cfg is wrong, or the port cannot be had. */
struct scheduler *scheduler_new(struct event_base *base, const struct scheduler_config *cfg, struct fl_err *err);
/* For fl_daemon_run(). */
void scheduler_stop(void *arg);
void scheduler_free(struct scheduler *s);

/* The world has changed: decide and act, once, when the loop comes round. */
void scheduler_look_again(struct scheduler *s);
/* Decide again in ms at the latest, if nothing else makes us before. */
void scheduler_look_in(struct scheduler *s, int64_t ms);

#endif
