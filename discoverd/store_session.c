#include <stdlib.h>
#include <string.h>

#include "discoverd/instance.h"
#include "discoverd/roster.h"
#include "discoverd/store_private.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/clock.h"
#include "libflynn/err.h"
#include "libflynn/etcd.h"
#include "libflynn/json.h"
#include "libflynn/random.h"
#include "libflynn/xmalloc.h"

enum { LIFE_BYTES = 8 };

static char *
session_key(const char *session)
{
	return fl_xasprintf(KEY_SESSIONS "%s", session);
}

static void
put_session(struct change *c, bool gone, int64_t expected, change_step step)
{
	char *key = session_key(c->session);
	struct fl_buf b = { 0 };
	struct fl_jsonw w = fl_jsonw(&b);

	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_int(&w, "ttl_s", c->ttl_s);
	fl_jsonw_str(&w, "life", c->life);
	if (gone)
		fl_jsonw_bool(&w, "gone", true);
	fl_jsonw_close(&w, '}');
	change_put(c, key, fl_buf_cstr(&b), c->lease, expected, step);
	fl_buf_release(&b);
	free(key);
}

static void
created(struct change *c, int64_t rev, const struct fl_err *err)
{
	struct fl_err again = { 0 };

	if (err != NULL && err->kind == FL_ERR_CONFLICT) {
		fl_err_set(&again, FL_ERR_UNAVAILABLE, "session %s is being created by another request", c->session);
		err = &again;
	}
	c->then(c, rev, err);
}

/* Only where there is none: a put that comes late must not take the place of a session that is in use by then. */
static void
granted(struct change *c, int64_t lease, const struct fl_err *err)
{
	if (err != NULL) {
		change_answer(c, err);
		return;
	}
	c->lease = lease;
	c->created = true;
	put_session(c, false, c->expected, created);
}

/* Revival. The records first: a session that is back with its records still missing would look like their end. */

static void
put_record(const char *service, const struct instance *i, void *arg)
{
	struct change *c = arg;
	char *key = record_key(service, i->id), *text = record_text(i, c->session, c->life);

	change_put(c, key, text, 0, FL_ETCD_ANY, c->step);
	free(text);
	free(key);
}

static void
record_revived(struct change *c, FL_UNUSED int64_t rev, const struct fl_err *err)
{
	if (err != NULL)
		change_answer(c, err);
	else if (c->under_way == 0)
		put_session(c, false, FL_ETCD_ANY, c->then);
}

static void
revival_granted(struct change *c, int64_t lease, const struct fl_err *err)
{
	if (err != NULL) {
		change_answer(c, err);
		return;
	}
	c->lease = lease;
	c->step = record_revived;
	roster_each_record(c->st->roster, c->session, put_record, c);
	if (c->under_way == 0)
		record_revived(c, 0, NULL);
}

static void
kept_alive(struct change *c, FL_UNUSED int64_t left_s, const struct fl_err *err)
{
	if (err == NULL)
		c->then(c, 0, NULL);
	else if (err->kind == FL_ERR_NOT_FOUND)
		change_grant(c, c->ttl_s, revival_granted);
	else
		change_answer(c, err);
}

void
change_session(struct change *c)
{
	struct store *st = c->st;
	struct roster_session s = roster_session(st->roster, c->session);
	int64_t now_ms = fl_clock_ms();

	if (s.state != SESSION_UNKNOWN) {
		c->ttl_s = s.ttl_s;
		c->life = fl_xstrdup(s.life);
	}
	switch (s.state) {
	case SESSION_UNKNOWN:
		c->life = fl_random_hex(LIFE_BYTES);
		c->expected = s.rev;
		change_grant(c, c->ttl_s, granted);
		break;
	case SESSION_PRESENT:
		/* As of now, not of the answer: the lease must not look younger than it is. */
		roster_hear(st->roster, c->session, now_ms);
		change_keepalive(c, s.lease, kept_alive);
		break;
	case SESSION_HELD:
		roster_hear(st->roster, c->session, now_ms);
		change_grant(c, c->ttl_s, revival_granted);
		break;
	}
}

void
store_put_session(struct store *st, const char *session, int ttl_s, store_session_cb cb, void *arg)
{
	struct change *c = change_new(st, NULL, arg);

	c->session_cb = cb;
	c->session = fl_xstrdup(session);
	c->ttl_s = ttl_s;
	c->then = change_done;
	change_session(c);
}

/*
 * Goodbye. The key is marked before its lease is revoked, so that no discoverd takes its end for etcd's
 * forgetfulness; who sees the mark deletes the records.
 */

static void
end_revoked(struct change *c, FL_UNUSED int64_t rev, FL_UNUSED const struct fl_err *err)
{
	change_done(c, c->rev, NULL); /* a lease that is left ends by itself */
}

static void
end_marked(struct change *c, int64_t rev, const struct fl_err *err)
{
	if (err != NULL) {
		change_answer(c, err);
		return;
	}
	c->rev = rev;
	change_revoke(c, c->lease, end_revoked);
}

static void
end_granted(struct change *c, int64_t lease, const struct fl_err *err)
{
	if (err != NULL) {
		change_answer(c, err);
		return;
	}
	c->lease = lease;
	put_session(c, true, FL_ETCD_ANY, end_marked);
}

/* The lease may have ended although its key is still shown. */
static void
end_tried(struct change *c, int64_t rev, const struct fl_err *err)
{
	if (err != NULL && err->kind == FL_ERR_NOT_FOUND)
		change_grant(c, c->ttl_s, end_granted);
	else
		end_marked(c, rev, err);
}

void
change_end_session(struct change *c)
{
	struct roster_session s = roster_session(c->st->roster, c->session);
	struct fl_err err = { 0 };

	c->life = fl_xstrdup(s.life);
	c->ttl_s = s.ttl_s;
	c->lease = s.lease;
	switch (s.state) {
	case SESSION_UNKNOWN:
		fl_err_set(&err, FL_ERR_NOT_FOUND, "there is no session %s", c->session);
		change_refuse(c, &err);
		break;
	case SESSION_PRESENT:
		put_session(c, true, FL_ETCD_ANY, end_tried);
		break;
	case SESSION_HELD:
		change_grant(c, c->ttl_s, end_granted);
		break;
	}
}

void
store_end_session(struct store *st, const char *session, store_cb cb, void *arg)
{
	struct change *c = change_new(st, cb, arg);

	c->session = fl_xstrdup(session);
	change_end_session(c);
}
