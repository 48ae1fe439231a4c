#include "discoverd/roster.h"

#include <stdlib.h>
#include <string.h>

#include "discoverd/instance.h"
#include "libflynn/list.h"
#include "libflynn/map.h"
#include "libflynn/xmalloc.h"

/* One life of a session. */
struct session {
	char *key; /* "id/life", in r->sessions */
	char *id, *life;
	int ttl_s;
	int64_t lease, rev;
	bool present;	/* etcd has its key */
	bool lost;	/* the key went since the last settling */
	bool gone;	/* its owner has said goodbye */
	bool heard;	/* its owner has spoken to us, at heard_ms */
	int64_t heard_ms;
	int64_t held_until_ms; /* not present: alive until then; 0: no hold yet */
	bool dead;	       /* not present and no longer held */
	TAILQ_HEAD(, roster_record) records;
};

struct roster_record {
	TAILQ_ENTRY(roster_record) entry;
	struct session *session;
	char *key; /* in r->records */
	char *service;
	struct instance *instance;
	int64_t mod_rev;
	bool lost;    /* the key went since the last settling, or etcd forgot it with its session */
	bool leaving; /* its owner takes it out */
	bool up;      /* was reported so */
	bool changed; /* since then */
	int64_t sweep_at_ms; /* 0: not dead */
};

struct roster {
	const struct roster_ops *ops;
	void *arg;
	struct fl_map *sessions; /* id/life -> struct session */
	struct fl_map *current;	 /* id -> its life that counts */
	struct fl_map *records;	 /* service/id -> struct roster_record */
};

struct roster *
roster_new(const struct roster_ops *ops, void *arg)
{
	struct roster *r = fl_xcalloc(1, sizeof(*r));

	*r = (struct roster){ .ops = ops, .arg = arg, .sessions = fl_map_new(), .current = fl_map_new() };
	r->records = fl_map_new();
	return r;
}

static void
record_free(void *arg)
{
	struct roster_record *rec = arg;

	free(rec->key);
	free(rec->service);
	instance_free(rec->instance);
	free(rec);
}

static void
session_free(void *arg)
{
	struct session *s = arg;

	free(s->key);
	free(s->id);
	free(s->life);
	free(s);
}

void
roster_free(struct roster *r)
{
	if (r == NULL)
		return;
	fl_map_free_with(r->records, record_free);
	fl_map_free(r->current);
	fl_map_free_with(r->sessions, session_free);
	free(r);
}

static struct session *
session_get(struct roster *r, const char *id, const char *life)
{
	char *key = fl_xasprintf("%s/%s", id, life);
	struct session *s = fl_map_get(r->sessions, key);

	if (s != NULL) {
		free(key);
		return s;
	}
	s = fl_xcalloc(1, sizeof(*s));
	*s = (struct session){ .key = key, .id = fl_xstrdup(id), .life = fl_xstrdup(life), .ttl_s = SESSION_TTL_S };
	TAILQ_INIT(&s->records);
	fl_map_set(r->sessions, key, s);
	if (fl_map_get(r->current, id) == NULL)
		fl_map_set(r->current, id, s);
	return s;
}

void
roster_put_session(struct roster *r, const char *id, const char *life, int ttl_s, int64_t lease, int64_t rev, bool gone)
{
	struct session *s = session_get(r, id, life), *before = fl_map_set(r->current, id, s);

	if (before != NULL && before != s && before->present)
		before->lost = true; /* its key is another's now */
	s->ttl_s = ttl_s;
	s->lease = lease;
	s->rev = rev;
	s->present = true;
	s->lost = s->dead = false;
	s->gone = gone;
	s->held_until_ms = 0;
}

void
roster_lose_session(struct roster *r, const char *id)
{
	struct session *s = fl_map_get(r->current, id);

	if (s != NULL && s->present)
		s->lost = true;
}

static struct roster_record *
record_find(const struct roster *r, const char *service, const char *id)
{
	char *key = fl_xasprintf("%s/%s", service, id);
	struct roster_record *rec = fl_map_get(r->records, key);

	free(key);
	return rec;
}

static struct roster_record *
record_get(struct roster *r, const char *service, const char *id)
{
	struct roster_record *rec = record_find(r, service, id);

	if (rec == NULL) {
		rec = fl_xcalloc(1, sizeof(*rec));
		rec->key = fl_xasprintf("%s/%s", service, id);
		rec->service = fl_xstrdup(service);
		fl_map_set(r->records, rec->key, rec);
	}
	return rec;
}

void
roster_put_record(struct roster *r, const char *service, const char *session, const char *life, struct instance *i, int64_t mod_rev)
{
	struct roster_record *rec = record_get(r, service, i->id);
	struct session *s = session_get(r, session, life);

	if (rec->session != s) {
		if (rec->session != NULL)
			TAILQ_REMOVE(&rec->session->records, rec, entry);
		TAILQ_INSERT_TAIL(&s->records, rec, entry);
		rec->session = s;
	}
	instance_free(rec->instance);
	rec->instance = i;
	rec->changed = true;
	rec->lost = rec->leaving = false;
	if (mod_rev != rec->mod_rev)
		rec->sweep_at_ms = 0; /* somebody believes in it */
	rec->mod_rev = mod_rev;
}

void
roster_lose_record(struct roster *r, const char *service, const char *id)
{
	struct roster_record *rec = record_find(r, service, id);

	if (rec != NULL)
		rec->lost = true;
}

void
roster_hear(struct roster *r, const char *session, int64_t now_ms)
{
	struct session *s = fl_map_get(r->current, session);

	if (s == NULL)
		return;
	s->heard = true;
	s->heard_ms = now_ms;
	if (s->held_until_ms != 0)
		s->held_until_ms = now_ms + s->ttl_s * 1000;
}

void
roster_leave(struct roster *r, const char *service, const char *id)
{
	struct roster_record *rec = record_find(r, service, id);

	if (rec != NULL)
		rec->leaving = true;
}

static int64_t
later(int64_t a_ms, int64_t b_ms)
{
	return a_ms > b_ms ? a_ms : b_ms;
}

static void
session_judge(struct session *s, int64_t now_ms)
{
	int64_t ttl_ms = s->ttl_s * 1000;

	if (s->lost) {
		s->lost = s->present = false;
		if (s->heard)
			s->held_until_ms = later(s->heard_ms + ttl_ms, now_ms + ROSTER_LATE_MS);
		else
			s->dead = true;
	}
	if (s->gone)
		s->dead = true;
	if (s->present || s->dead)
		return;
	if (s->held_until_ms == 0)
		s->held_until_ms = now_ms + ttl_ms; /* never seen: the grace */
	if (now_ms >= s->held_until_ms)
		s->dead = true;
}

static void
session_settle(struct roster *r, struct session *s, int64_t now_ms)
{
	bool was_dead = s->dead;

	session_judge(s, now_ms);
	if (s->dead && !was_dead && !s->gone && fl_map_get(r->current, s->id) == s)
		r->ops->on_expired(s->id, r->arg);
}

static void
record_down(struct roster *r, struct roster_record *rec)
{
	if (rec->up)
		r->ops->on_down(rec->service, rec->instance->id, r->arg);
	rec->up = false;
}

static void
record_drop(struct roster *r, struct roster_record *rec)
{
	record_down(r, rec);
	TAILQ_REMOVE(&rec->session->records, rec, entry);
	fl_map_remove(r->records, rec->key);
	record_free(rec);
}

/* Takes a dead one down, and has it swept in time. Returns in how many milliseconds to look again. */
static int64_t
record_bury(struct roster *r, struct roster_record *rec, int64_t now_ms)
{
	record_down(r, rec);
	if (rec->sweep_at_ms == 0)
		rec->sweep_at_ms = rec->session->gone ? now_ms : now_ms + ROSTER_SWEEP_MS;
	if (now_ms >= rec->sweep_at_ms) {
		rec->sweep_at_ms = now_ms + ROSTER_SWEEP_MS;
		r->ops->on_dead(rec->service, rec->instance->id, rec->mod_rev, r->arg);
	}
	return rec->sweep_at_ms - now_ms;
}

/* Returns the same; -1: nothing before the next event. The record may be gone then. */
static int64_t
record_judge(struct roster *r, struct roster_record *rec, int64_t now_ms)
{
	const struct session *s = rec->session;
	/* etcd lost both, and the owner that we heard did not ask for it. */
	bool forgotten = !s->present && !s->dead && s->heard && !rec->leaving;

	if (rec->lost && !forgotten) {
		record_drop(r, rec);
		return -1;
	}
	if (s->dead)
		return record_bury(r, rec, now_ms);
	rec->sweep_at_ms = 0;
	if (!rec->up || rec->changed)
		r->ops->on_up(rec->service, rec->instance, r->arg);
	rec->up = true;
	rec->changed = false;
	return -1;
}

/* The shorter of two waits, of which -1 is none. */
static int64_t
sooner(int64_t a_ms, int64_t b_ms)
{
	if (a_ms == -1 || b_ms == -1)
		return a_ms == -1 ? b_ms : a_ms;
	return a_ms < b_ms ? a_ms : b_ms;
}

int64_t
roster_settle(struct roster *r, int64_t now_ms)
{
	int64_t wait_ms = -1;

	FL_MAP_EACH (r->sessions, e) {
		struct session *s = fl_map_value(e);
		struct roster_record *rec, *next;

		session_settle(r, s, now_ms);
		TAILQ_FOREACH_SAFE(rec, &s->records, entry, next)
			wait_ms = sooner(wait_ms, record_judge(r, rec, now_ms));
		if (!s->present && !s->dead)
			wait_ms = sooner(wait_ms, s->held_until_ms - now_ms);
		if (!s->present && TAILQ_EMPTY(&s->records)) {
			if (fl_map_get(r->current, s->id) == s)
				fl_map_remove(r->current, s->id);
			fl_map_remove(r->sessions, s->key);
			session_free(s);
		}
	}
	return wait_ms;
}

struct roster_session
roster_session(const struct roster *r, const char *id)
{
	const struct session *s = fl_map_get(r->current, id);
	struct roster_session out = { .state = SESSION_UNKNOWN, .life = "" };

	if (s == NULL)
		return out;
	out.rev = s->present && !s->lost ? s->rev : 0;
	if (s->dead || s->gone)
		return out;
	out.state = out.rev != 0 ? SESSION_PRESENT : SESSION_HELD;
	out.life = s->life;
	out.ttl_s = s->ttl_s;
	out.lease = s->lease;
	return out;
}

size_t
roster_count_sessions(const struct roster *r)
{
	return fl_map_count(r->sessions);
}

struct roster_entry
roster_find(const struct roster *r, const char *service, const char *id)
{
	const struct roster_record *rec = record_find(r, service, id);

	if (rec == NULL || rec->session->dead || rec->session->gone || rec->lost || rec->leaving)
		return (struct roster_entry){ 0 };
	return (struct roster_entry){ rec->instance, rec->session->id, rec->session->life };
}

void
roster_each_record(const struct roster *r, const char *session,
    void (*cb)(const char *service, const struct instance *i, void *arg), void *arg)
{
	const struct session *s = fl_map_get(r->current, session);
	const struct roster_record *rec;

	if (s == NULL)
		return;
	TAILQ_FOREACH(rec, &s->records, entry)
		if (!rec->leaving)
			cb(rec->service, rec->instance, arg);
}
