/*
 * etcd_kv - keys: read, put, deleted; and how they look in etcd's JSON.
 */
#include <stdlib.h>
#include <string.h>

#include "libflynn/base64.h"
#include "libflynn/err.h"
#include "libflynn/etcd_internal.h"
#include "libflynn/json.h"
#include "libflynn/xmalloc.h"

/* What a caller waits for. */
struct request {
	fl_etcd_cb cb;
	fl_etcd_get_cb get_cb;
	void *arg;
	char *key;
	bool conditional;
};

static struct request *
request_new(fl_etcd_cb cb, void *arg, const char *key)
{
	struct request *r = fl_xcalloc(1, sizeof(*r));

	*r = (struct request){ .cb = cb, .arg = arg, .key = fl_xstrdup(key) };
	return r;
}

static void
request_free(void *arg)
{
	struct request *r = arg;

	free(r->key);
	free(r);
}

static void
write_bytes(struct fl_jsonw *w, const char *name, const void *data, size_t len)
{
	char *text = fl_base64_encode(data, len);

	fl_jsonw_str(w, name, text);
	free(text);
}

static void
write_key(struct fl_jsonw *w, const char *key)
{
	write_bytes(w, "key", key, strlen(key));
}

/* The range ends before the prefix with its last byte one higher; all keys are the range from "\0" to "\0". */
void
etcd_write_prefix(struct fl_jsonw *w, const char *prefix)
{
	size_t len = strlen(prefix);
	char *end = fl_xstrdup(prefix);

	if (len == 0) {
		write_bytes(w, "key", "", 1);
		write_bytes(w, "range_end", "", 1);
	} else {
		end[len - 1]++; /* our keys are ASCII */
		write_bytes(w, "key", prefix, len);
		write_bytes(w, "range_end", end, len);
	}
	free(end);
}

int
etcd_read_kv(const struct fl_json *v, struct fl_etcd_kv *kv, struct fl_err *err)
{
	const char *key = fl_json_text(v, "key"), *value = fl_json_text(v, "value");
	size_t key_len = 0;

	*kv = (struct fl_etcd_kv){
		.create_rev = etcd_int(fl_json_get(v, "create_revision")),
		.mod_rev = etcd_int(fl_json_get(v, "mod_revision")),
		.lease = etcd_int(fl_json_get(v, "lease")),
	};
	kv->key = fl_base64_decode(key, strlen(key), &key_len, err);
	kv->value = fl_base64_decode(value, strlen(value), &kv->value_len, err);
	if (kv->key != NULL && kv->value != NULL)
		return 0;
	etcd_kv_release(kv);
	return -1;
}

void
etcd_kv_release(struct fl_etcd_kv *kv)
{
	free((char *)kv->key);
	free((char *)kv->value);
	*kv = (struct fl_etcd_kv){ 0 };
}

static int64_t
revision(const struct fl_json *json)
{
	return etcd_int(fl_json_get(fl_json_get(json, "header"), "revision"));
}

static void
on_range(const struct fl_json *json, const struct fl_err *err, void *arg)
{
	struct request *r = arg;
	const struct fl_json *list = fl_json_get(json, "kvs");
	size_t n = fl_json_len(list), read = 0;
	struct fl_etcd_kv *kvs = fl_xcalloc(n + 1, sizeof(*kvs));
	struct fl_err why = { 0 };

	while (err == NULL && read < n) {
		if (etcd_read_kv(fl_json_at(list, read), &kvs[read], &why) == -1)
			err = &why;
		else
			read++;
	}
	r->get_cb(err == NULL ? kvs : NULL, err == NULL ? n : 0, revision(json), err, r->arg);
	for (size_t i = 0; i < read; i++)
		etcd_kv_release(&kvs[i]);
	free(kvs);
	request_free(r);
}

void
fl_etcd_get(struct fl_etcd *e, const char *prefix, fl_etcd_get_cb cb, void *arg)
{
	struct request *r = request_new(NULL, arg, prefix);
	struct fl_buf b = { 0 };
	struct fl_jsonw w = fl_jsonw(&b);

	r->get_cb = cb;
	fl_jsonw_open(&w, NULL, '{');
	etcd_write_prefix(&w, prefix);
	fl_jsonw_str(&w, "sort_target", "CREATE");
	fl_jsonw_str(&w, "sort_order", "ASCEND");
	fl_jsonw_close(&w, '}');
	etcd_op_start(e, "/v3/kv/range", &b, true, on_range, request_free, r);
}

/* Of a put, or of a transaction. */
static void
on_put(const struct fl_json *json, const struct fl_err *err, void *arg)
{
	struct request *r = arg;
	struct fl_err why = { 0 };

	if (err == NULL && r->conditional && !fl_json_bool(fl_json_get(json, "succeeded"), false)) {
		fl_err_set(&why, FL_ERR_CONFLICT, "%s was changed by somebody else", r->key);
		err = &why;
	}
	r->cb(revision(json), err, r->arg);
	request_free(r);
}

static void
write_put(struct fl_jsonw *w, const char *key, const char *value, int64_t lease)
{
	write_key(w, key);
	write_bytes(w, "value", value, strlen(value));
	if (lease != 0)
		fl_jsonw_int(w, "lease", lease);
}

static void
write_compare(struct fl_jsonw *w, const char *key, int64_t mod_rev)
{
	fl_jsonw_open(w, "compare", '[');
	fl_jsonw_open(w, NULL, '{');
	fl_jsonw_str(w, "result", "EQUAL");
	fl_jsonw_str(w, "target", "MOD");
	write_key(w, key);
	fl_jsonw_int(w, "mod_revision", mod_rev); /* 0 for a key that is not there */
	fl_jsonw_close(w, '}');
	fl_jsonw_close(w, ']');
}

/* What a transaction does if the comparison holds: one request, of that name, whose members come between. */
static void
open_success(struct fl_jsonw *w, const char *request)
{
	fl_jsonw_open(w, "success", '[');
	fl_jsonw_open(w, NULL, '{');
	fl_jsonw_open(w, request, '{');
}

static void
close_success(struct fl_jsonw *w)
{
	fl_jsonw_close(w, '}');
	fl_jsonw_close(w, '}');
	fl_jsonw_close(w, ']');
}

void
fl_etcd_put(struct fl_etcd *e, const char *key, const char *value, int64_t lease, int64_t expected_mod_rev,
    fl_etcd_cb cb, void *arg)
{
	struct request *r = request_new(cb, arg, key);
	struct fl_buf b = { 0 };
	struct fl_jsonw w = fl_jsonw(&b);

	r->conditional = expected_mod_rev != FL_ETCD_ANY;
	fl_jsonw_open(&w, NULL, '{');
	if (r->conditional) {
		write_compare(&w, key, expected_mod_rev);
		open_success(&w, "request_put");
	}
	write_put(&w, key, value, lease);
	if (r->conditional)
		close_success(&w);
	fl_jsonw_close(&w, '}');
	etcd_op_start(e, r->conditional ? "/v3/kv/txn" : "/v3/kv/put", &b, !r->conditional, on_put, request_free, r);
}

static void
on_deleted(const struct fl_json *json, const struct fl_err *err, void *arg)
{
	struct request *r = arg;
	struct fl_err why = { 0 };

	if (err == NULL && r->conditional && etcd_int(fl_json_get(json, "deleted")) == 0) {
		fl_err_set(&why, FL_ERR_NOT_FOUND, "there is no %s", r->key);
		err = &why;
	}
	r->cb(revision(json), err, r->arg);
	request_free(r);
}

void
fl_etcd_delete(struct fl_etcd *e, const char *key, fl_etcd_cb cb, void *arg)
{
	struct request *r = request_new(cb, arg, key);
	struct fl_buf b = { 0 };
	struct fl_jsonw w = fl_jsonw(&b);

	r->conditional = true;
	fl_jsonw_open(&w, NULL, '{');
	write_key(&w, key);
	fl_jsonw_close(&w, '}');
	etcd_op_start(e, "/v3/kv/deleterange", &b, false, on_deleted, request_free, r);
}

void
fl_etcd_delete_at(struct fl_etcd *e, const char *key, int64_t expected_mod_rev, fl_etcd_cb cb, void *arg)
{
	struct request *r = request_new(cb, arg, key);
	struct fl_buf b = { 0 };
	struct fl_jsonw w = fl_jsonw(&b);

	r->conditional = true;
	fl_jsonw_open(&w, NULL, '{');
	write_compare(&w, key, expected_mod_rev);
	open_success(&w, "request_delete_range");
	write_key(&w, key);
	close_success(&w);
	fl_jsonw_close(&w, '}');
	etcd_op_start(e, "/v3/kv/txn", &b, false, on_put, request_free, r);
}

void
fl_etcd_delete_prefix(struct fl_etcd *e, const char *prefix, fl_etcd_cb cb, void *arg)
{
	struct fl_buf b = { 0 };
	struct fl_jsonw w = fl_jsonw(&b);

	fl_jsonw_open(&w, NULL, '{');
	etcd_write_prefix(&w, prefix);
	fl_jsonw_close(&w, '}');
	etcd_op_start(e, "/v3/kv/deleterange", &b, true, on_deleted, request_free,
	    request_new(cb, arg, prefix));
}
