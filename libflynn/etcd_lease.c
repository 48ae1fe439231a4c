/*
 * etcd_lease - leases: keys that vanish unless somebody goes on asking for them.
 */
#include <stdlib.h>

#include "libflynn/err.h"
#include "libflynn/etcd_internal.h"
#include "libflynn/json.h"
#include "libflynn/xmalloc.h"

struct request {
	fl_etcd_cb cb;
	void *arg;
};

static void
start(struct fl_etcd *e, const char *path, const char *member, int64_t value, bool again, etcd_op_cb on_answer,
    fl_etcd_cb cb, void *arg)
{
	struct request *r = fl_xcalloc(1, sizeof(*r));
	struct fl_buf b = { 0 };
	struct fl_jsonw w = fl_jsonw(&b);

	*r = (struct request){ cb, arg };
	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_int(&w, member, value);
	fl_jsonw_close(&w, '}');
	etcd_op_start(e, path, &b, again, on_answer, free, r);
}

static void
on_granted(const struct fl_json *json, const struct fl_err *err, void *arg)
{
	struct request *r = arg;

	r->cb(etcd_int(fl_json_get(json, "ID")), err, r->arg);
	free(r);
}

void
fl_etcd_lease_grant(struct fl_etcd *e, int ttl_s, fl_etcd_cb cb, void *arg)
{
	start(e, "/v3/lease/grant", "TTL", ttl_s, true, on_granted, cb, arg);
}

/* A lease that is gone is answered without a TTL, not by an error. */
static void
on_kept(const struct fl_json *json, const struct fl_err *err, void *arg)
{
	struct request *r = arg;
	int64_t ttl_s = etcd_int(fl_json_get(fl_json_get(json, "result"), "TTL"));
	struct fl_err why = { 0 };

	if (err == NULL && ttl_s <= 0) {
		fl_err_set(&why, FL_ERR_NOT_FOUND, "the lease has expired");
		err = &why;
	}
	r->cb(ttl_s, err, r->arg);
	free(r);
}

void
fl_etcd_lease_keepalive(struct fl_etcd *e, int64_t lease, fl_etcd_cb cb, void *arg)
{
	start(e, "/v3/lease/keepalive", "ID", lease, true, on_kept, cb, arg);
}

static void
on_revoked(const struct fl_json *json, const struct fl_err *err, void *arg)
{
	struct request *r = arg;

	r->cb(etcd_int(fl_json_get(fl_json_get(json, "header"), "revision")), err, r->arg);
	free(r);
}

void
fl_etcd_lease_revoke(struct fl_etcd *e, int64_t lease, fl_etcd_cb cb, void *arg)
{
	start(e, "/v3/lease/revoke", "ID", lease, false, on_revoked, cb, arg);
}
