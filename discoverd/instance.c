#include "discoverd/instance.h"

#include <stdlib.h>
#include <string.h>

#include "libflynn/buf.h"
#include "libflynn/discoverd.h"
#include "libflynn/err.h"
#include "libflynn/json.h"
#include "libflynn/url.h"
#include "libflynn/xmalloc.h"

#define LOWER_ALNUM "abcdefghijklmnopqrstuvwxyz0123456789"
enum { PROTO_MAX = 16, ADDR_MAX = 280 };

int
service_name_check(const char *name, struct fl_err *err)
{
	size_t len = strlen(name);

	if (len == 0 || len > SERVICE_NAME_MAX || strspn(name, LOWER_ALNUM "-") != len)
		return fl_err_set(err, FL_ERR_INVALID, "a service's name is 1 to %d of a-z, 0-9 and \"-\"", SERVICE_NAME_MAX);
	return 0;
}

static int
addr_check(const char *addr, struct fl_err *err)
{
	char *host = NULL;
	int port = 0, rc = -1;

	if (strlen(addr) > ADDR_MAX || fl_url_hostport(addr, &host, &port, NULL) == -1 || host[0] == '\0' || port < 1 || port > UINT16_MAX)
		fl_err_set(err, FL_ERR_INVALID, "addr must be ip:port");
	else
		rc = 0;
	free(host);
	return rc;
}

/* The text of a meta object in *out; NULL for an empty one. */
static int
meta_copy(const struct fl_json *meta, char **out, struct fl_err *err)
{
	struct fl_buf b = { 0 };
	int rc = -1;

	for (size_t i = 0; i < fl_json_len(meta); i++) {
		if (fl_json_type(fl_json_at(meta, i)) != FL_JSON_STRING) {
			fl_err_set(err, FL_ERR_INVALID, "meta must be an object of strings");
			goto out;
		}
	}
	if (fl_json_len(meta) > 0) {
		struct fl_jsonw w = fl_jsonw(&b);

		fl_jsonw_value(&w, NULL, meta);
		if (b.len > INSTANCE_META_MAX_BYTES) {
			fl_err_set(err, FL_ERR_TOO_BIG, "meta is larger than %u bytes", INSTANCE_META_MAX_BYTES);
			goto out;
		}
		*out = fl_buf_detach(&b);
	}
	rc = 0;
out:
	fl_buf_release(&b);
	return rc;
}

struct instance *
instance_parse(const struct fl_json *v, struct fl_err *err)
{
	const char *id = NULL, *addr = "", *proto = "tcp";
	const struct fl_json *meta = NULL;
	struct instance *i = fl_xcalloc(1, sizeof(*i));

	if (fl_json_type(v) != FL_JSON_OBJECT) {
		fl_err_set(err, FL_ERR_INVALID, "an instance must be a JSON object");
		goto failed;
	}
	if (fl_json_member_str(v, "id", &id, err) == -1 || fl_json_member_str(v, "addr", &addr, err) == -1 ||
	    fl_json_member_str(v, "proto", &proto, err) == -1 || fl_json_member_obj(v, "meta", &meta, err) == -1)
		goto failed;
	if (addr_check(addr, err) == -1)
		goto failed;
	if (proto[0] == '\0' || strlen(proto) > PROTO_MAX || strspn(proto, LOWER_ALNUM) != strlen(proto)) {
		fl_err_set(err, FL_ERR_INVALID, "proto must be 1 to %d lower-case letters and digits", PROTO_MAX);
		goto failed;
	}
	i->id = fl_instance_id(proto, addr);
	if (id != NULL && strcmp(id, i->id) != 0) {
		fl_err_set(err, FL_ERR_INVALID, "id must be the hex MD5 of \"%s-%s\", which is %s", proto, addr, i->id);
		goto failed;
	}
	if (meta_copy(meta, &i->meta, err) == -1)
		goto failed;
	i->addr = fl_xstrdup(addr);
	i->proto = fl_xstrdup(proto);
	return i;
failed:
	instance_free(i);
	return NULL;
}

struct instance *
instance_dup(const struct instance *i)
{
	struct instance *copy = fl_xcalloc(1, sizeof(*copy));

	copy->id = fl_xstrdup(i->id);
	copy->addr = fl_xstrdup(i->addr);
	copy->proto = fl_xstrdup(i->proto);
	copy->meta = fl_xstrdup_null(i->meta);
	copy->index = i->index;
	return copy;
}

void
instance_free(struct instance *i)
{
	if (i == NULL)
		return;
	free(i->id);
	free(i->addr);
	free(i->proto);
	free(i->meta);
	free(i);
}

bool
instance_eq(const struct instance *a, const struct instance *b)
{
	return strcmp(a->id, b->id) == 0 && strcmp(a->addr, b->addr) == 0 && strcmp(a->proto, b->proto) == 0 &&
	    strcmp(a->meta != NULL ? a->meta : "", b->meta != NULL ? b->meta : "") == 0;
}

void
instance_write_members(const struct instance *i, struct fl_jsonw *w)
{
	fl_jsonw_str(w, "id", i->id);
	fl_jsonw_str(w, "addr", i->addr);
	fl_jsonw_str(w, "proto", i->proto);
	if (i->meta != NULL)
		fl_jsonw_raw(w, "meta", i->meta);
	if (i->index != 0)
		fl_jsonw_int(w, "index", (int64_t)i->index);
}

void
instance_write(const struct instance *i, struct fl_jsonw *w, const char *key)
{
	fl_jsonw_open(w, key, '{');
	instance_write_members(i, w);
	fl_jsonw_close(w, '}');
}
