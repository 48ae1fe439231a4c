#include <stdlib.h>
#include <string.h>

#include "discoverd/instance.h"
#include "discoverd/roster.h"
#include "discoverd/store_private.h"
#include "libflynn/attr.h"
#include "libflynn/err.h"
#include "libflynn/etcd.h"
#include "libflynn/xmalloc.h"

/* An instance that has no session given gets one; no owner can name it, because of the dot. */
static char *
own_session(const char *service, const char *id)
{
	return fl_xasprintf("%s.%s", service, id);
}

/* A step once the session stands. */
static void
write_record(struct change *c, int64_t rev, const struct fl_err *err)
{
	struct roster_entry known = roster_find(c->st->roster, c->service, c->instance->id);
	char *key, *text;

	if (err != NULL || (known.instance != NULL && strcmp(known.session, c->session) == 0 &&
			       strcmp(known.life, c->life) == 0 && instance_eq(known.instance, c->instance))) {
		change_done(c, rev, err); /* a mere heartbeat */
		return;
	}
	c->instance->index = known.instance != NULL ? known.instance->index : 0;
	key = record_key(c->service, c->instance->id);
	text = record_text(c->instance, c->session, c->life);
	change_put(c, key, text, 0, FL_ETCD_ANY, change_done);
	free(text);
	free(key);
}

void
store_put_instance(struct store *st, const char *service, struct instance *i, const char *session, const char *life,
    store_cb cb, void *arg)
{
	struct change *c = change_new(st, cb, arg);
	struct roster_session s;
	struct fl_err err = { 0 };

	c->service = fl_xstrdup(service);
	c->instance = i;
	c->ttl_s = SESSION_TTL_S;
	if (session == NULL) {
		c->session = own_session(service, i->id);
		c->then = write_record;
		change_session(c);
		return;
	}
	c->session = fl_xstrdup(session);
	s = roster_session(st->roster, session);
	c->life = fl_xstrdup(s.life);
	if (s.state == SESSION_UNKNOWN) {
		fl_err_set(&err, FL_ERR_NOT_FOUND, "there is no session %s, or it has expired: PUT /sessions/%s", session, session);
		change_refuse(c, &err);
		return;
	}
	if (life != NULL && strcmp(life, s.life) != 0) {
		fl_err_set(&err, FL_ERR_NOT_FOUND, "session %s has begun another life: PUT /sessions/%s tells which", session, session);
		change_refuse(c, &err);
		return;
	}
	write_record(c, 0, NULL);
}

/* Not in etcd does not mean unknown: etcd may have forgotten it. */
static void
record_deleted(struct change *c, int64_t rev, const struct fl_err *err)
{
	if (err != NULL && err->kind == FL_ERR_NOT_FOUND) {
		c->deleted = true;
		err = NULL;
	}
	change_done(c, rev, err);
}

/* etcd has been asked to write it, and may yet do so. */
static bool
is_under_way(const struct store *st, const char *service, const char *id)
{
	const struct change *c;

	TAILQ_FOREACH(c, &st->changes, entry)
		if (c->instance != NULL && c->under_way > 0 && strcmp(c->service, service) == 0 && strcmp(c->instance->id, id) == 0)
			return true;
	return false;
}

void
store_delete_instance(struct store *st, const char *service, const char *id, store_cb cb, void *arg)
{
	struct change *c = change_new(st, cb, arg);
	char *own = own_session(service, id), *key = record_key(service, id);
	struct roster_entry known = roster_find(st->roster, service, id);
	struct fl_err err = { 0 };

	if (known.instance == NULL && is_under_way(st, service, id)) {
		fl_err_set(&err, FL_ERR_UNAVAILABLE, "instance %s of service %s is being registered: ask again", id, service);
		change_refuse(c, &err);
	} else if (known.instance == NULL) {
		fl_err_set(&err, FL_ERR_NOT_FOUND, "service %s has no instance %s", service, id);
		change_refuse(c, &err);
	} else if (strcmp(known.session, own) == 0) {
		c->session = fl_xstrdup(own);
		change_end_session(c);
	} else {
		roster_leave(st->roster, service, id);
		change_delete(c, key, record_deleted);
	}
	free(key);
	free(own);
}
