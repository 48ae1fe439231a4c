/*
 * discoverd_internal - what the files of discoverd's client share.
 *
 * discoverd.c knows the addresses, discoverd_instance.c reads an instance, discoverd_picture.c the instances of a
 * service, discoverd_watch.c follows services, discoverd_share.c by one stream, discoverd_doubt.c
 * judges what that stream has lost, discoverd_register.c keeps us registered.
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
struct fl_sse_client;
struct registration;

/* What we registered, and the session that holds it. */
struct registrar {
	TAILQ_HEAD(, registration) list;
	char *session;
	char *life;	/* the session's, as discoverd says; NULL: it has not said yet */
	unsigned lives; /* how many it has said */
	bool alive;	/* discoverd has the session */
	struct fl_http_call *call; /* the heartbeat under way */
	struct event *beat;
	struct fl_retry retry;
	size_t at; /* the address in use */
};

struct picture {
	struct fl_instance **instances; /* by index */
	size_t n;
	char *leader_id; /* NULL: nobody has said */
};

struct fl_discoverd_service {
	TAILQ_ENTRY(fl_discoverd_service) link, news_link;
	struct fl_discoverd_service *same; /* the next one that follows this name */
	struct fl_discoverd *d;
	char *name;
	size_t at; /* the address in use */
	struct fl_sse_client *sse; /* its own stream; NULL: the shared one */
	struct picture shown, drawn; /* unless shared */
	bool known, drawing, has_news;
	bool overtaken; /* the shared stream has told of it since its own was asked for */
	void (*on_change)(struct fl_discoverd_service *s, void *arg);
	void *arg;
};

TAILQ_HEAD(watch_list, fl_discoverd_service);

/* One stream of all services. */
struct share {
	struct fl_sse_client *sse; /* NULL: each service has its own */
	size_t at;
	struct fl_map *shown, *drawn; /* name -> struct picture; drawn NULL: no picture is being drawn */
	struct watch_list news;	      /* on_change is due */
	struct event *tell;
	struct event *doubt; /* pending: some of what is shown the discoverd of this stream has not told of */
	bool is_known;	 /* a whole picture has come */
	bool is_current; /* and the stream that brought it stands */
};

struct fl_discoverd {
	struct event_base *base;
	struct fl_http_client *http;
	char *key;
	char **urls; /* "http://ip:port" */
	size_t n_urls;
	struct watch_list services;
	struct fl_map *by_name; /* of their names, the last that began to follow it */
	struct share share;
	TAILQ_HEAD(, find) finds;
	struct registrar reg;
};

/* discoverd_instance.c */
struct fl_instance *fl_instance_parse(const struct fl_json *v);
void fl_instance_free(struct fl_instance *i);

/* discoverd_picture.c */
void picture_release(struct picture *p);
/* Takes instance, in the place of one with its id. */
void picture_put(struct picture *p, struct fl_instance *instance);
void picture_remove(struct picture *p, const char *id);
/* One event into the picture. Returns whether it changes what can be seen. */
bool picture_apply(struct picture *p, const char *kind, const struct fl_json *v);

/* discoverd_share.c */
bool share_is_on(const struct fl_discoverd *d);
void share_release(struct fl_discoverd *d);
/* A watch begins, and asks for its service alone if the picture has none of it; or ends. */
void share_join(struct fl_discoverd_service *s, bool asks);
void share_leave(struct fl_discoverd_service *s);
/*
 * Its own stream has shown all: go on with the shared one, if that stands. One that has told of the service meanwhile may
 * be ahead, or behind: then it is asked for anew.
 */
void share_fold(struct fl_discoverd_service *s);
/* What is known of a service; NULL: no instance. */
const struct picture *share_find(const struct fl_discoverd *d, const char *name);

/* The picture of that service, made if there is none. */
struct picture *share_picture(struct fl_map *pictures, const char *name);
/* What is shown of the service has changed. */
void share_announce(struct fl_discoverd *d, const char *name);

/* discoverd_doubt.c */
/* A new picture is about to be shown: let it keep what a discoverd that lost its data cannot know. */
void doubt_carry(struct fl_discoverd *d);
/* That has had its time. */
void doubt_end(struct fl_discoverd *d);

/* discoverd_watch.c */
void watch_start(struct fl_discoverd_service *s);
void find_free(struct find *f);

/* discoverd_register.c */
void registrar_init(struct fl_discoverd *d);
void registrar_release(struct fl_discoverd *d);

#endif
