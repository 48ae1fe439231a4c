#include <stdlib.h>
#include <string.h>

#include "discoverd/instance.h"
#include "discoverd/registry.h"
#include "discoverd/roster.h"
#include "discoverd/store_private.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/etcd.h"
#include "libflynn/json.h"
#include "libflynn/xmalloc.h"

void
change_put_config(struct change *c, const char *service, bool manual, const char *leader_id, int64_t expected)
{
	char *key = fl_xasprintf(KEY_SERVICES "%s", service);
	struct fl_buf b = { 0 };
	struct fl_jsonw w = fl_jsonw(&b);

	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_str(&w, "leader_type", manual ? "manual" : "oldest");
	fl_jsonw_str_oe(&w, "leader_id", leader_id);
	fl_jsonw_close(&w, '}');
	change_put(c, key, fl_buf_cstr(&b), 0, expected, change_done);
	fl_buf_release(&b);
	free(key);
}

void
store_put_service(struct store *st, const char *service, bool manual, store_cb cb, void *arg)
{
	change_put_config(change_new(st, cb, arg), service, manual, NULL, FL_ETCD_ABSENT);
}

void
store_put_leader(struct store *st, const char *service, const char *id, store_cb cb, void *arg)
{
	const struct service *s = registry_find(st->registry, service);

	change_put_config(change_new(st, cb, arg), service, true, id, s != NULL ? s->rev : FL_ETCD_ABSENT);
}

void
change_put_meta(struct change *c, const char *service, const char *text, int64_t expected)
{
	char *key = fl_xasprintf(KEY_META "%s", service);

	change_put(c, key, text, 0, expected, change_done);
	free(key);
}

void
store_put_meta(struct store *st, const char *service, const struct fl_json *data, uint64_t index, store_cb cb, void *arg)
{
	struct fl_buf b = { 0 };
	struct fl_jsonw w = fl_jsonw(&b);

	fl_jsonw_value(&w, NULL, data);
	change_put_meta(change_new(st, cb, arg), service, fl_buf_cstr(&b), index == 0 ? FL_ETCD_ABSENT : (int64_t)index);
	fl_buf_release(&b);
}

static void
meta_deleted(struct change *c, FL_UNUSED int64_t rev, const struct fl_err *err)
{
	char *key;

	if (err != NULL && err->kind != FL_ERR_NOT_FOUND) {
		change_answer(c, err);
		return;
	}
	key = fl_xasprintf(KEY_SERVICES "%s", c->service);
	change_delete(c, key, change_done);
	free(key);
}

static void
records_deleted(struct change *c, FL_UNUSED int64_t rev, const struct fl_err *err)
{
	char *key;

	if (err != NULL && err->kind != FL_ERR_NOT_FOUND) {
		change_answer(c, err);
		return;
	}
	key = fl_xasprintf(KEY_META "%s", c->service);
	change_delete(c, key, meta_deleted);
	free(key);
}

/* The service's own key goes last: a deletion that broke off is found, and done again. */
void
store_delete_service(struct store *st, const char *service, store_cb cb, void *arg)
{
	struct change *c = change_new(st, cb, arg);
	const struct service *s = registry_find(st->registry, service);
	char *prefix = fl_xasprintf(KEY_INSTANCES "%s/", service);

	for (size_t i = 0; s != NULL && i < s->n_instances; i++)
		roster_leave(st->roster, service, s->instances[i]->id);
	c->service = fl_xstrdup(service);
	change_delete_prefix(c, prefix, records_deleted);
	free(prefix);
}
