/*
 * discoverd_internal - what the files of discoverd's client share.
 *
 * discoverd.c knows the addresses, discoverd_instance.c reads an instance, discoverd_watch.c follows services,
 * discoverd_register.c keeps us registered.
 */
#ifndef FL_DISCOVERD_INTERNAL_H
#define FL_DISCOVERD_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>

#include "libflynn/discoverd.h"
#include "libflynn/list.h"
#include "libflynn/retry.h"

struct event;
struct fl_discoverd_service;
struct fl_json;
struct find;
struct registration;

/* What we registered, and the session that holds it. */
struct registrar {
	TAILQ_HEAD(, registration) list;
	char *session;
	bool alive; /* discoverd has the session */
	struct fl_http_call *call; /* the heartbeat under way */
	struct event *beat;
	struct fl_retry retry;
	size_t at; /* the address in use */
};

struct fl_discoverd {
	struct event_base *base;
	struct fl_http_client *http;
	char *key;
	char **urls; /* "http://ip:port" */
	size_t n_urls;
	TAILQ_HEAD(, fl_discoverd_service) services;
	TAILQ_HEAD(, find) finds;
	struct registrar reg;
};

/* discoverd_instance.c */
struct fl_instance *fl_instance_parse(const struct fl_json *v);
void fl_instance_free(struct fl_instance *i);

/* discoverd_watch.c */
void find_free(struct find *f);

/* discoverd_register.c */
void registrar_init(struct fl_discoverd *d);
void registrar_release(struct fl_discoverd *d);

#endif
