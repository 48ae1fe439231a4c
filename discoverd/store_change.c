#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "discoverd/instance.h"
#include "discoverd/store_private.h"
#include "libflynn/attr.h"
#include "libflynn/err.h"
#include "libflynn/etcd.h"
#include "libflynn/xmalloc.h"

static void
change_free(struct change *c)
{
	TAILQ_REMOVE(&c->st->changes, c, entry);
	event_free(c->deadline);
	free(c->deleted_key);
	free(c->service);
	free(c->session);
	free(c->life);
	instance_free(c->instance);
	free(c);
}

void
change_answer(struct change *c, const struct fl_err *err)
{
	c->answered = true;
	event_del(c->deadline);
	if (c->cb != NULL)
		c->cb(err, c->arg);
	else if (c->session_cb != NULL)
		c->session_cb(c->life, c->created, err, c->arg);
	if (c->under_way == 0)
		change_free(c);
}

static void
on_deadline(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct change *c = arg;
	struct fl_err err = { 0 };

	if (c->done) { /* etcd has it; only its watch is slow */
		change_answer(c, NULL);
		return;
	}
	fl_err_set(&err, FL_ERR_UNAVAILABLE, "etcd did not answer within %d ms", STORE_WAIT_MS);
	change_answer(c, &err);
}

struct change *
change_new(struct store *st, store_cb cb, void *arg)
{
	static const struct timeval wait = { STORE_WAIT_MS / 1000, STORE_WAIT_MS % 1000 * 1000 };
	struct change *c = fl_xcalloc(1, sizeof(*c));

	*c = (struct change){ .st = st, .cb = cb, .arg = arg, .deadline = evtimer_new(st->base, on_deadline, c) };
	evtimer_add(c->deadline, &wait);
	TAILQ_INSERT_TAIL(&st->changes, c, entry);
	return c;
}

static void
on_etcd(int64_t rev, const struct fl_err *err, void *arg)
{
	struct change *c = arg;

	c->under_way--;
	if (!c->answered)
		c->step(c, rev, err);
	else if (c->under_way == 0)
		change_free(c);
}

static void
call(struct change *c, change_step step)
{
	c->step = step;
	c->under_way++;
}

void
change_put(struct change *c, const char *key, const char *value, int64_t lease, int64_t expected, change_step step)
{
	call(c, step);
	fl_etcd_put(c->st->etcd, key, value, lease, expected, on_etcd, c);
}

void
change_delete(struct change *c, const char *key, change_step step)
{
	call(c, step);
	free(c->deleted_key);
	c->deleted_key = fl_xstrdup(key);
	c->deleted = false;
	fl_etcd_delete(c->st->etcd, key, on_etcd, c);
}

void
change_delete_prefix(struct change *c, const char *prefix, change_step step)
{
	call(c, step);
	fl_etcd_delete_prefix(c->st->etcd, prefix, on_etcd, c);
}

void
change_grant(struct change *c, int ttl_s, change_step step)
{
	call(c, step);
	fl_etcd_lease_grant(c->st->etcd, ttl_s, on_etcd, c);
}

void
change_keepalive(struct change *c, int64_t lease, change_step step)
{
	call(c, step);
	fl_etcd_lease_keepalive(c->st->etcd, lease, on_etcd, c);
}

void
change_revoke(struct change *c, int64_t lease, change_step step)
{
	call(c, step);
	fl_etcd_lease_revoke(c->st->etcd, lease, on_etcd, c);
}

void
change_done(struct change *c, int64_t rev, const struct fl_err *err)
{
	if (err != NULL) {
		change_answer(c, err);
		return;
	}
	c->done = true;
	c->rev = rev;
	store_touch(c->st);
}

void
change_refuse(struct change *c, const struct fl_err *err)
{
	c->refusal = *err;
	change_done(c, 0, NULL);
}

void
changes_answer_shown(struct store *st)
{
	struct change *c, *next;

	TAILQ_FOREACH_SAFE(c, &st->changes, entry, next)
		if (c->done && !c->answered && (c->deleted_key != NULL ? c->deleted : st->seen_rev >= c->rev))
			change_answer(c, c->refusal.kind != FL_ERR_NONE ? &c->refusal : NULL);
}

void
changes_key_deleted(struct store *st, const char *key)
{
	struct change *c;

	TAILQ_FOREACH(c, &st->changes, entry)
		if (c->deleted_key != NULL && strcmp(c->deleted_key, key) == 0)
			c->deleted = true;
}

void
changes_free(struct store *st)
{
	struct change *c, *next;

	TAILQ_FOREACH_SAFE(c, &st->changes, entry, next)
		change_free(c);
}
