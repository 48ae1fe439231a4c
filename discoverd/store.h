/*
 * store - what discoverd keeps in etcd, and the way back from there into memory.
 *
 *	/discoverd/services/<service>		{"leader_type","leader_id"}
 *	/discoverd/meta/<service>		the meta's data
 *	/discoverd/instances/<service>/<id>	{"id","addr","proto","meta","index","session","life"}
 *	/discoverd/sessions/<session>		{"ttl_s","life","gone"}, bound to a lease
 *
 * Memory (registry, roster) changes only by what etcd's watch shows, here and in every other discoverd. A write is
 * answered when etcd has it and memory shows it, so that who wrote reads what he wrote; or after STORE_WAIT_MS.
 */
#ifndef DISCOVERD_STORE_H
#define DISCOVERD_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_base;
struct fl_err;
struct fl_json;
struct instance;
struct registry;
struct store;

#define STORE_WAIT_MS 2000
#define SESSION_ID_MAX 64
#define SESSION_TTL_MAX_S 3600
#define META_MAX_BYTES (256u << 10)

/* Exactly once, from the loop. err NULL: done. UNAVAILABLE: etcd is away, and what was known stays known. */
typedef void (*store_cb)(const struct fl_err *err, void *arg);
/* life: which of the session's, borrowed; what was registered in another is gone. created: it has just begun. */
typedef void (*store_session_cb)(const char *life, bool created, const struct fl_err *err, void *arg);

/* registry is filled, and outlives the store. */
struct store *store_new(struct event_base *base, const char *etcd_urls, const char *key, struct registry *registry);
/* Callbacks that are due are not called. */
void store_free(struct store *st);
size_t store_count_sessions(const struct store *st);

/* CONFLICT: it exists. */
void store_put_service(struct store *st, const char *service, bool manual, store_cb cb, void *arg);
/* With its instances and meta. NOT_FOUND. */
void store_delete_service(struct store *st, const char *service, store_cb cb, void *arg);
/* index 0: only if there is none, else only if its index is that: CONFLICT otherwise. */
void store_put_meta(struct store *st, const char *service, const struct fl_json *data, uint64_t index, store_cb cb, void *arg);
/* The leader of a manual service that exists. */
void store_put_leader(struct store *st, const char *service, const char *id, store_cb cb, void *arg);

/*
 * A heartbeat: create the session, or refresh it. One that has expired begins another life, in which nothing is
 * registered. ttl_s counts at creation.
 */
void store_put_session(struct store *st, const char *session, int ttl_s, store_session_cb cb, void *arg);
/* Goodbye: its instances go at once. NOT_FOUND. */
void store_end_session(struct store *st, const char *session, store_cb cb, void *arg);

/*
 * Takes i. session NULL: one of the instance's own, which this creates or refreshes. life may be NULL: whichever. NOT_FOUND:
 * no such session, or it has another life.
 */
void store_put_instance(struct store *st, const char *service, struct instance *i, const char *session, const char *life,
    store_cb cb, void *arg);
/* NOT_FOUND; UNAVAILABLE while it is being registered. */
void store_delete_instance(struct store *st, const char *service, const char *id, store_cb cb, void *arg);

#endif
