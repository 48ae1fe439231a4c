/*
 * store_private - what the files of the store share, and nobody else sees.
 */
#ifndef DISCOVERD_STORE_PRIVATE_H
#define DISCOVERD_STORE_PRIVATE_H

#include <stdint.h>

#include "discoverd/store.h"
#include "libflynn/err.h"
#include "libflynn/list.h"

struct event;
struct fl_etcd;
struct fl_etcd_mirror;
struct fl_map;
struct roster;

#define KEY_ROOT "/discoverd/"
#define KEY_SERVICES KEY_ROOT "services/"
#define KEY_META KEY_ROOT "meta/"
#define KEY_INSTANCES KEY_ROOT "instances/"
#define KEY_SESSIONS KEY_ROOT "sessions/"

struct change;
/* What to do with etcd's answer; rev is the lease for a grant. */
typedef void (*change_step)(struct change *c, int64_t rev, const struct fl_err *err);

/*
 * One change on its way: calls to etcd, one step after another, until the answer is due. Freed by itself, when it
 * is answered and etcd owes it nothing.
 */
struct change {
	TAILQ_ENTRY(change) entry;
	struct store *st;
	struct event *deadline;
	store_cb cb; /* one of both */
	store_session_cb session_cb;
	void *arg;
	bool answered;
	unsigned under_way; /* calls that etcd has not answered */
	change_step step;

	/* Done in etcd; to be answered once memory shows it. */
	bool done;
	int64_t rev;	    /* as of then */
	char *deleted_key;  /* or once that key is seen to go */
	bool deleted;
	struct fl_err refusal; /* or refused without asking etcd */

	/* What the steps need. */
	char *service, *session;
	char *life;	  /* the session's */
	int64_t expected; /* mod revision of the session's key, to create it */
	struct instance *instance;
	int ttl_s;
	int64_t lease;
	bool created;
	change_step then; /* the session stands */
};

TAILQ_HEAD(changes, change);

struct store {
	struct event_base *base;
	struct fl_etcd *etcd;
	struct fl_etcd_mirror *mirror;
	struct registry *registry;
	struct roster *roster;
	struct event *settle;
	int64_t seen_rev; /* the newest revision that the mirror has shown */
	struct changes changes;
	struct fl_map *lost;	/* service: its key went, or was never seen; judged when settling */
	struct fl_map *lost_meta;
};

/* Have memory settled, and answered whom it concerns, from the loop. */
void store_touch(struct store *st);

struct change *change_new(struct store *st, store_cb cb, void *arg);
/* One call to etcd; step gets its answer. */
void change_put(struct change *c, const char *key, const char *value, int64_t lease, int64_t expected, change_step step);
void change_delete(struct change *c, const char *key, change_step step);
void change_delete_prefix(struct change *c, const char *prefix, change_step step);
void change_grant(struct change *c, int ttl_s, change_step step);
void change_keepalive(struct change *c, int64_t lease, change_step step);
void change_revoke(struct change *c, int64_t lease, change_step step);
/* A last step: the change is done, to be answered once rev is shown; or has failed. */
void change_done(struct change *c, int64_t rev, const struct fl_err *err);
/* To be answered from the loop. */
void change_refuse(struct change *c, const struct fl_err *err);
/* Answer now. */
void change_answer(struct change *c, const struct fl_err *err);
/* Answer those that memory shows. */
void changes_answer_shown(struct store *st);
void changes_key_deleted(struct store *st, const char *key);
void changes_free(struct store *st);

/* Write a service's key or meta, as the last step. */
void change_put_config(struct change *c, const char *service, bool manual, const char *leader_id, int64_t expected);
void change_put_meta(struct change *c, const char *service, const char *text, int64_t expected);

/*
 * Judge the services that were lost: those that have living instances are made again, for etcd must have lost them,
 * the others are gone.
 */
void store_settle_lost(struct store *st);

/* Make sure that c->session stands, then go on with c->then. */
void change_session(struct change *c);
/* Say goodbye for it. */
void change_end_session(struct change *c);

/* JSON text of a record, for its key; the caller frees both. */
char *record_key(const char *service, const char *id);
char *record_text(const struct instance *i, const char *session, const char *life);

#endif
