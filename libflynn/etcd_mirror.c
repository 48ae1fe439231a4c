/*
 * etcd_mirror - everything under a prefix, kept known: a full read, then a watch from there on.
 */
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "libflynn/attr.h"
#include "libflynn/err.h"
#include "libflynn/etcd_internal.h"
#include "libflynn/json.h"
#include "libflynn/log.h"
#include "libflynn/map.h"
#include "libflynn/retry.h"
#include "libflynn/xmalloc.h"

#define MIN_WAIT_MS 100
#define MAX_WAIT_MS 5000
#define MAX_LINE ((size_t)16 << 20)

/* What we know of a key: enough to tell whether it changed. */
struct item {
	int64_t create_rev, mod_rev;
	uint64_t seen; /* the last full read that had it */
};

struct fl_etcd_mirror {
	struct fl_etcd *e;
	char *prefix;
	struct fl_etcd_mirror_ops ops;
	void *arg;
	struct fl_map *items;
	uint64_t reads;
	int64_t rev; /* known up to here */
	int64_t last_rev; /* the newest that was heard of; one before it is of another history: etcd was restored, or lost all */
	struct etcd_op *op;
	struct fl_buf line; /* of the watch's answer, as far as it has come */
	struct fl_retry retry;
	struct event *deferred;
	bool in_cb, freed;
};

static void
mirror_release(struct fl_etcd_mirror *m)
{
	etcd_op_cancel(m->op);
	fl_retry_release(&m->retry);
	event_free(m->deferred);
	fl_map_free_with(m->items, free);
	fl_buf_release(&m->line);
	free(m->prefix);
	free(m);
}

static void
on_deferred(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	mirror_release(arg);
}

static void
put(struct fl_etcd_mirror *m, const struct fl_etcd_kv *kv)
{
	struct item *item = fl_map_get(m->items, kv->key);

	if (item != NULL && item->mod_rev == kv->mod_rev && item->create_rev == kv->create_rev && m->rev >= m->last_rev) {
		item->seen = m->reads;
		return;
	}
	if (item == NULL) {
		item = fl_xcalloc(1, sizeof(*item));
		fl_map_set(m->items, kv->key, item);
	}
	*item = (struct item){ kv->create_rev, kv->mod_rev, m->reads };
	if (!m->freed)
		m->ops.on_put(kv, m->arg);
}

static void
delete(struct fl_etcd_mirror *m, const char *key)
{
	struct item *item = fl_map_remove(m->items, key);

	if (item != NULL && !m->freed)
		m->ops.on_delete(key, m->arg);
	free(item);
}

/* Those that the last full read did not have. */
static void
delete_vanished(struct fl_etcd_mirror *m)
{
	FL_MAP_EACH(m->items, entry) {
		const struct item *item = fl_map_value(entry);

		if (item->seen != m->reads) {
			char *key = fl_xstrdup(fl_map_key(entry));

			delete(m, key);
			free(key);
		}
	}
}

/* One change of the watch's answer. */
static int
on_change(struct fl_etcd_mirror *m, const struct fl_json *event, struct fl_err *err)
{
	struct fl_etcd_kv kv;

	if (etcd_read_kv(fl_json_get(event, "kv"), &kv, err) == -1)
		return -1;
	if (strcmp(fl_json_str(fl_json_get(event, "type"), "PUT"), "DELETE") == 0)
		delete(m, kv.key);
	else
		put(m, &kv);
	if (kv.mod_rev > m->last_rev)
		m->last_rev = kv.mod_rev;
	etcd_kv_release(&kv);
	return 0;
}

static int
on_message(struct fl_etcd_mirror *m, const struct fl_json *v, struct fl_err *err)
{
	const struct fl_json *result = fl_json_get(v, "result"), *events = fl_json_get(result, "events");
	const char *why = fl_json_str(fl_json_get(fl_json_get(v, "error"), "message"), NULL);

	if (why != NULL)
		return fl_err_set(err, FL_ERR_UNAVAILABLE, "etcd: %s", why);
	if (fl_json_bool(fl_json_get(result, "canceled"), false))
		return fl_err_set(err, FL_ERR_UNAVAILABLE, "etcd ended the watch: %s",
		    etcd_int(fl_json_get(result, "compact_revision")) > 0
			? "the history is compacted"
			: fl_json_str(fl_json_get(result, "cancel_reason"), "no reason given"));
	for (size_t i = 0; i < fl_json_len(events) && !m->freed; i++)
		if (on_change(m, fl_json_at(events, i), err) == -1)
			return -1;
	return 0;
}

static int
on_line(struct fl_etcd_mirror *m)
{
	struct fl_err err = { 0 };
	struct fl_json *v = fl_json_parse(m->line.data, m->line.len, &err);
	int rc = v != NULL ? on_message(m, v, &err) : -1;

	fl_json_free(v);
	if (rc == 0)
		fl_retry_reset(&m->retry);
	else
		fl_log_info("watch of etcd is read anew", fl_str("prefix", m->prefix), fl_str("err", err.msg));
	return rc;
}

/* The watch's answer: one JSON value a line. */
static int
on_data(const char *data, size_t len, void *arg)
{
	struct fl_etcd_mirror *m = arg;
	int rc = 0;

	m->in_cb = true;
	while (rc == 0 && len > 0 && !m->freed) {
		const char *nl = memchr(data, '\n', len);
		size_t part = nl != NULL ? (size_t)(nl - data) : len;

		if (m->line.len + part > MAX_LINE) {
			rc = -1;
			break;
		}
		fl_buf_add(&m->line, data, part);
		if (nl != NULL) {
			if (m->line.len > 0)
				rc = on_line(m);
			fl_buf_clear(&m->line);
			part++;
		}
		data += part;
		len -= part;
	}
	m->in_cb = false;
	return rc;
}

static void
on_watch_ended(FL_UNUSED const struct fl_json *json, const struct fl_err *err, void *arg)
{
	struct fl_etcd_mirror *m = arg;

	m->op = NULL;
	if (m->freed)
		return;
	fl_log_debug("watch of etcd ended", fl_str("prefix", m->prefix), fl_str("err", err != NULL ? err->msg : ""));
	fl_retry_wait(&m->retry);
}

static void
watch(struct fl_etcd_mirror *m)
{
	struct fl_buf b = { 0 };
	struct fl_jsonw w = fl_jsonw(&b);

	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_open(&w, "create_request", '{');
	etcd_write_prefix(&w, m->prefix);
	fl_jsonw_int(&w, "start_revision", m->rev + 1);
	fl_jsonw_bool(&w, "progress_notify", true);
	fl_jsonw_close(&w, '}');
	fl_jsonw_close(&w, '}');
	fl_buf_clear(&m->line);
	m->op = etcd_stream_start(m->e, "/v3/watch", &b, on_data, on_watch_ended, m);
}

static void
apply(struct fl_etcd_mirror *m, const struct fl_json *json, struct fl_err *err)
{
	const struct fl_json *kvs = fl_json_get(json, "kvs");
	struct fl_etcd_kv kv;

	for (size_t i = 0; i < fl_json_len(kvs) && !m->freed; i++) {
		if (etcd_read_kv(fl_json_at(kvs, i), &kv, err) == -1)
			return;
		put(m, &kv);
		etcd_kv_release(&kv);
	}
}

static void
begin_read(struct fl_etcd_mirror *m)
{
	m->op = NULL;
	m->in_cb = true;
	m->reads++;
}

/* All was put, but for err. */
static void
end_read(struct fl_etcd_mirror *m, const struct fl_err *err)
{
	bool is_whole = err->kind == FL_ERR_NONE;

	if (is_whole && !m->freed)
		delete_vanished(m);
	if (is_whole && !m->freed && m->ops.on_synced != NULL)
		m->ops.on_synced(m->arg);
	m->in_cb = false;
	if (m->freed)
		return;
	if (is_whole) {
		m->last_rev = m->rev;
		watch(m);
		return;
	}
	fl_log_warn("cannot read etcd", fl_str("prefix", m->prefix), fl_str("err", err->msg));
	fl_retry_wait(&m->retry);
}

static void
on_read(const struct fl_json *json, const struct fl_err *err, void *arg)
{
	struct fl_etcd_mirror *m = arg;
	struct fl_err why = { 0 };

	begin_read(m);
	if (err != NULL) {
		why = *err;
	} else {
		m->rev = etcd_int(fl_json_get(fl_json_get(json, "header"), "revision"));
		apply(m, json, &why);
	}
	end_read(m, &why);
}

static bool
put_one(const struct fl_etcd_kv *kv, void *arg)
{
	struct fl_etcd_mirror *m = arg;

	put(m, kv);
	return !m->freed;
}

static void
on_read_grpc(const char *data, size_t len, void *arg)
{
	struct fl_etcd_mirror *m = arg;
	struct fl_err why = { 0 };

	begin_read(m);
	etcd_grpc_each(data, len, &m->rev, put_one, m, &why);
	end_read(m, &why);
}

static void
read_all(void *arg)
{
	struct fl_etcd_mirror *m = arg;
	struct fl_buf b = { 0 }, message = { 0 };
	struct fl_jsonw w = fl_jsonw(&b);

	etcd_grpc_range(&message, m->prefix);
	fl_jsonw_open(&w, NULL, '{');
	etcd_write_prefix(&w, m->prefix);
	fl_jsonw_str(&w, "sort_target", "CREATE");
	fl_jsonw_str(&w, "sort_order", "ASCEND");
	fl_jsonw_close(&w, '}');
	m->op = etcd_grpc_start(m->e, "/etcdserverpb.KV/Range", &message, "/v3/kv/range", &b, on_read_grpc, on_read, m);
}

struct fl_etcd_mirror *
fl_etcd_mirror_start(struct fl_etcd *e, const char *prefix, const struct fl_etcd_mirror_ops *ops, void *arg)
{
	struct fl_etcd_mirror *m = fl_xcalloc(1, sizeof(*m));

	*m = (struct fl_etcd_mirror){
		.e = e, .prefix = fl_xstrdup(prefix), .ops = *ops, .arg = arg, .items = fl_map_new()
	};
	fl_retry_init(&m->retry, e->base, MIN_WAIT_MS, MAX_WAIT_MS, read_all, m);
	m->deferred = event_new(e->base, -1, 0, on_deferred, m);
	read_all(m);
	return m;
}

void
fl_etcd_mirror_free(struct fl_etcd_mirror *m)
{
	if (m == NULL || m->freed)
		return;
	m->freed = true;
	if (m->in_cb)
		event_active(m->deferred, EV_TIMEOUT, 1);
	else
		mirror_release(m);
}
