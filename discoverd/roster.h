/*
 * roster - who counts as alive: sessions, and the records of instances registered under them.
 *
 * In etcd a session is a key bound to a lease, a record is a key that stays until somebody deletes it and names its
 * session. An instance is alive while its session is. So one lease serves all instances of an owner; and records
 * outlive an etcd or a discoverd that was away, whose return must not look like everybody's death:
 *
 *  - a session whose key has gone although we heard its owner within its TTL is held for the rest of that TTL: etcd
 *    has forgotten it, the owner has not died, and its next heartbeat brings the key back. It is held for ROSTER_LATE_MS
 *    at least: if it was we who stood still, heartbeats wait to be read;
 *  - a record whose session we have never seen is given a TTL's grace: its owner may be about to come back to us.
 *
 * A session that dies and is created again under the same id has another life: records name the life too, so those
 * of the old one stay dead. They are swept a while later, in case another discoverd believes in that life and revives it.
 *
 * A decision without I/O: told what etcd shows, what owners say and what time it is, it answers by its ops.
 */
#ifndef DISCOVERD_ROSTER_H
#define DISCOVERD_ROSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct instance;
struct roster;

#define SESSION_TTL_S 10
#define ROSTER_SWEEP_MS 5000
#define ROSTER_LATE_MS 1000

struct roster_ops {
	/* Alive, or changed; i is borrowed. */
	void (*on_up)(const char *service, const struct instance *i, void *arg);
	void (*on_down)(const char *service, const char *id, void *arg);
	/*
	 * The record of a dead one should be deleted if it is still at that revision: at once after a goodbye, else when it
	 * has been dead for ROSTER_SWEEP_MS. Repeated until it is gone.
	 */
	void (*on_dead)(const char *service, const char *id, int64_t mod_rev, void *arg);
	/* The session's owner has not been heard of for a TTL. */
	void (*on_expired)(const char *session, void *arg);
};

enum session_state {
	SESSION_UNKNOWN, /* there is none, or it has died */
	SESSION_PRESENT, /* etcd has it */
	SESSION_HELD,	 /* etcd has lost it, its owner is believed alive */
};

struct roster_session {
	enum session_state state;
	const char *life; /* borrowed; "" when UNKNOWN */
	int ttl_s;
	int64_t lease; /* PRESENT */
	int64_t rev;   /* of its key in etcd, which may be there for an UNKNOWN one; 0: none */
};

/* A record that is alive. */
struct roster_entry {
	const struct instance *instance; /* NULL: there is none */
	const char *session, *life;
};

struct roster *roster_new(const struct roster_ops *ops, void *arg);
void roster_free(struct roster *r);

/* What etcd shows. gone: its owner has said goodbye. */
void roster_put_session(struct roster *r, const char *id, const char *life, int ttl_s, int64_t lease, int64_t rev, bool gone);
void roster_lose_session(struct roster *r, const char *id);
/* Takes i, whose index is set. */
void roster_put_record(struct roster *r, const char *service, const char *session, const char *life, struct instance *i, int64_t mod_rev);
void roster_lose_record(struct roster *r, const char *service, const char *id);

/* What owners say: alive at now_ms; about to take this instance out. */
void roster_hear(struct roster *r, const char *session, int64_t now_ms);
void roster_leave(struct roster *r, const char *service, const char *id);

/*
 * Judge all that was said since the last time; not before the first full read of etcd. Returns in how many
 * milliseconds it must be called again though nothing happens; -1: never.
 */
int64_t roster_settle(struct roster *r, int64_t now_ms);

/* Strings are borrowed until the next settling. */
struct roster_session roster_session(const struct roster *r, const char *id);
size_t roster_count_sessions(const struct roster *r);
struct roster_entry roster_find(const struct roster *r, const char *service, const char *id);
/* All records of a session that are alive. */
void roster_each_record(const struct roster *r, const char *session,
    void (*cb)(const char *service, const struct instance *i, void *arg), void *arg);

#endif
