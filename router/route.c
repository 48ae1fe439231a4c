#include "router/route.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libflynn/attr.h"
#include "libflynn/base64.h"
#include "libflynn/buf.h"
#include "libflynn/clock.h"
#include "libflynn/err.h"
#include "libflynn/json.h"
#include "libflynn/xmalloc.h"
#include "router/path.h"
#include "router/table.h"

#define MAX_DOMAIN 253
#define MAX_SERVICE 128
#define MAX_PEM ((size_t)64 << 10)
#define MAX_TEXT 1024

static const char *const type_names[] = { [ROUTE_HTTP] = "http", [ROUTE_TCP] = "tcp" };

static void
set_id(struct route *r, const char *text)
{
	static EVP_MD *md5; /* looked up once: that takes longer than the digest, and ten thousand routes have one */
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned len = 0;
	char *hex;

	if (md5 == NULL)
		md5 = EVP_MD_fetch(NULL, "MD5", NULL);
	if (md5 == NULL || EVP_Digest(text, strlen(text), digest, &len, md5, NULL) != 1)
		abort();
	hex = fl_hex_encode(digest, len);
	free(r->id);
	r->id = fl_xasprintf("%s/%s", type_names[r->type], hex);
	free(hex);
}

void
route_set_port(struct route *r, int port)
{
	char text[16];

	r->port = port;
	snprintf(text, sizeof(text), "%d", port);
	set_id(r, text);
}

/* A member that must be a string, no longer than max. Absent, it leaves *out alone; empty, it makes it NULL. */
static int
take_str(const struct fl_json *v, const char *key, size_t max, char **out, struct fl_err *err)
{
	const char *s = NULL;

	if (fl_json_member_str(v, key, &s, err) == -1)
		return -1;
	if (s == NULL)
		return 0;
	if (strlen(s) > max)
		return fl_err_set(err, FL_ERR_INVALID, "%s is longer than %zu bytes", key, max);
	free(*out);
	*out = *s != '\0' ? fl_xstrdup(s) : NULL;
	return 0;
}

static int
take_service(struct route *r, const struct fl_json *config, struct fl_err *err)
{
	if (take_str(config, "service", MAX_SERVICE, &r->service, err) == -1)
		return -1;
	if (r->service == NULL)
		return fl_err_set(err, FL_ERR_INVALID, "a route needs a service");
	for (const char *p = r->service; *p != '\0'; p++)
		if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || *p == '-' ||
			*p == '_' || *p == '.'))
			return fl_err_set(err, FL_ERR_INVALID, "service: \"%s\" is no service name", r->service);
	return 0;
}

static int
take_domain(struct route *r, const struct fl_json *config, struct fl_err *err)
{
	char *given = NULL, host[TABLE_MAX_KEY + 1];
	bool is_wildcard = false;
	int ret = -1;

	if (take_str(config, "domain", MAX_DOMAIN, &given, err) == -1)
		goto out;
	if (given == NULL && r->domain != NULL)
		return 0;
	if (given == NULL) {
		fl_err_set(err, FL_ERR_INVALID, "an HTTP route needs a domain");
		goto out;
	}
	is_wildcard = strncmp(given, "*.", 2) == 0;
	if (strchr(given, ':') != NULL ||
	    table_normalise_host(given + is_wildcard * 2, strlen(given) - is_wildcard * 2, host) == 0 || *host == '.' ||
	    strstr(host, "..") != NULL || host[strlen(host) - 1] == '.') {
		fl_err_set(err, FL_ERR_INVALID, "domain: \"%s\" is no host name", given);
		goto out;
	}
	free(r->domain);
	r->domain = fl_xasprintf("%s%s", is_wildcard ? "*." : "", host);
	ret = 0;
out:
	free(given);
	return ret;
}

/* "/" is none, and "/api/" is "/api". */
static int
take_path(struct route *r, const struct fl_json *config, struct fl_err *err)
{
	size_t len;

	if (take_str(config, "path", PATH_MAX_ROUTE, &r->path, err) == -1)
		return -1;
	if (r->path == NULL)
		return 0;
	for (len = strlen(r->path); len > 0 && r->path[len - 1] == '/' && (len == 1 || r->path[len - 2] != '/');)
		r->path[--len] = '\0';
	if (len == 0) {
		free(r->path);
		r->path = NULL;
		return 0;
	}
	if (!path_is_routable(r->path))
		return fl_err_set(err, FL_ERR_INVALID,
		    "path: \"%s\" is no path prefix: it begins with \"/\", is written without percent-encoding, and has no empty, "
		    "\".\" or \"..\" segment and none of ? # %% ; \\ < > \" nor a space", r->path);
	return 0;
}

/*
 * tls_cert and tls_key, and whose they are. What the API told of a route may come back to it: a certificate that was got by
 * ACME then has no key.
 */
static int
take_cert(struct route *r, const struct fl_json *config, struct fl_err *err)
{
	bool is_given = !fl_json_is_null(fl_json_get(config, "tls_key"));

	if (is_given)
		r->is_cert_auto = false;
	if (fl_json_member_bool(config, "tls_cert_auto", &r->is_cert_auto, err) == -1 ||
	    fl_json_member_bool(config, "auto_tls", &r->auto_tls, err) == -1 ||
	    take_str(config, "tls_cert", MAX_PEM, &r->tls_cert, err) == -1 ||
	    take_str(config, "tls_key", MAX_PEM, &r->tls_key, err) == -1)
		return -1;
	if (r->is_cert_auto && r->tls_key == NULL) {
		free(r->tls_cert);
		r->tls_cert = NULL;
	}
	if ((r->tls_cert == NULL) != (r->tls_key == NULL))
		return fl_err_set(err, FL_ERR_INVALID, "tls_cert and tls_key are needed both, or neither");
	r->is_cert_auto = r->is_cert_auto && r->tls_cert != NULL;
	if (r->auto_tls && (r->domain[0] == '*' || r->domain[0] == '[' || strpbrk(r->domain, "abcdefghijklmnopqrstuvwxyz") == NULL))
		return fl_err_set(err, FL_ERR_INVALID, "auto_tls: no certificate can be got for \"%s\", only for a host's name: give tls_cert and tls_key", r->domain);
	return 0;
}

static void
set_http_id(struct route *r)
{
	char *text = fl_xasprintf("%s%s", r->domain, r->path != NULL ? r->path : "");

	set_id(r, text);
	free(text);
}

static int
take_http(struct route *r, const struct fl_json *config, struct fl_err *err)
{
	if (take_domain(r, config, err) == -1 || take_path(r, config, err) == -1 ||
	    fl_json_member_bool(config, "sticky", &r->sticky, err) == -1 ||
	    fl_json_member_bool(config, "leader", &r->leader, err) == -1 ||
	    fl_json_member_bool(config, "redirect_https", &r->redirect_https, err) == -1 ||
	    fl_json_member_bool(config, "maintenance", &r->maintenance, err) == -1 ||
	    take_str(config, "maintenance_text", MAX_TEXT, &r->maintenance_text, err) == -1 ||
	    take_cert(r, config, err) == -1)
		return -1;
	set_http_id(r);
	return 0;
}

static int
take_tcp(struct route *r, const struct fl_json *config, struct fl_err *err)
{
	int64_t port = r->port;

	if (fl_json_member_int(config, "port", 0, 65535, &port, err) == -1 ||
	    fl_json_member_bool(config, "leader", &r->leader, err) == -1)
		return -1;
	if (port != 0)
		route_set_port(r, (int)port);
	return 0;
}

static int
take_type(struct route *r, const struct fl_json *v, struct fl_err *err)
{
	const char *type = NULL;

	if (fl_json_member_str(v, "type", &type, err) == -1)
		return -1;
	for (size_t i = 0; type != NULL && i < fl_nitems(type_names); i++) {
		if (strcmp(type, type_names[i]) == 0) {
			r->type = (enum route_type)i;
			return 0;
		}
	}
	return fl_err_set(err, FL_ERR_INVALID, "Invalid route type");
}

/* Into r, whose type is known. */
static int
take_members(struct route *r, const struct fl_json *v, struct fl_err *err)
{
	const struct fl_json *config = NULL;

	if (take_str(v, "parent_ref", MAX_SERVICE, &r->parent_ref, err) == -1 ||
	    take_str(v, "once", MAX_SERVICE, &r->once, err) == -1 ||
	    take_str(v, "created_at", FL_CLOCK_RFC3339_LEN, &r->created_at, err) == -1 ||
	    take_str(v, "updated_at", FL_CLOCK_RFC3339_LEN, &r->updated_at, err) == -1 ||
	    fl_json_member_obj(v, "config", &config, err) == -1 ||
	    (r->type == ROUTE_HTTP ? take_http(r, config, err) : take_tcp(r, config, err)) == -1)
		return -1;
	return take_service(r, config, err);
}

struct route *
route_parse(const struct fl_json *v, struct fl_err *err)
{
	struct route *r = fl_xcalloc(1, sizeof(*r));

	if (fl_json_type(v) != FL_JSON_OBJECT)
		fl_err_set(err, FL_ERR_INVALID, "a route is a JSON object");
	else if (take_type(r, v, err) == 0 && take_members(r, v, err) == 0)
		return r;
	route_free(r);
	return NULL;
}

/* By way of what etcd is given, which is all of it. */
static struct route *
dup(const struct route *r)
{
	struct fl_buf b = { 0 };
	struct fl_json *v;
	struct route *copy;

	route_write(r, &b, true);
	v = fl_json_parse(b.data, b.len, NULL);
	copy = route_parse(v, NULL);
	fl_json_free(v);
	explicit_bzero(b.data, b.len); /* it has the private key */
	fl_buf_release(&b);
	return copy;
}

struct route *
route_update(const struct route *old, const struct fl_json *v, struct fl_err *err)
{
	struct route *r = dup(old);
	const char *type = type_names[old->type];

	if (fl_json_type(v) != FL_JSON_OBJECT)
		fl_err_set(err, FL_ERR_INVALID, "a route is a JSON object");
	else if (fl_json_member_str(v, "type", &type, err) == -1 || take_members(r, v, err) == -1)
		;
	else if (strcmp(type, type_names[old->type]) != 0 || strcmp(r->id, old->id) != 0)
		fl_err_set(err, FL_ERR_INVALID, "type, domain, path and port make a route what it is: add another and remove %s", old->id);
	else
		return r;
	route_free(r);
	return NULL;
}

static void
set_cert(struct route *r, const char *cert_pem, const char *key_pem)
{
	if (r->tls_key != NULL)
		explicit_bzero(r->tls_key, strlen(r->tls_key));
	free(r->tls_cert);
	free(r->tls_key);
	r->tls_cert = fl_xstrdup(cert_pem);
	r->tls_key = fl_xstrdup(key_pem);
	r->is_cert_auto = true;
}

struct route *
route_with_cert(const struct route *old, const char *cert_pem, const char *key_pem)
{
	struct route *r = dup(old);

	set_cert(r, cert_pem, key_pem);
	return r;
}

void
route_keep_cert(struct route *r, const struct route *old)
{
	if (r->auto_tls && r->tls_cert == NULL && old->is_cert_auto)
		set_cert(r, old->tls_cert, old->tls_key);
}

void
route_free(struct route *r)
{
	if (r == NULL)
		return;
	free(r->id);
	free(r->parent_ref);
	free(r->once);
	free(r->service);
	free(r->domain);
	free(r->path);
	free(r->maintenance_text);
	free(r->tls_cert);
	if (r->tls_key != NULL)
		explicit_bzero(r->tls_key, strlen(r->tls_key));
	free(r->tls_key);
	free(r->created_at);
	free(r->updated_at);
	free(r);
}

/* Those that are set. */
static void
write_flags(const struct route *r, struct fl_jsonw *w)
{
	const struct {
		const char *key;
		bool is_set;
	} flags[] = {
		{ "sticky", r->sticky },
		{ "leader", r->leader },
		{ "redirect_https", r->redirect_https },
		{ "maintenance", r->maintenance },
		{ "auto_tls", r->auto_tls },
		{ "tls_cert_auto", r->is_cert_auto },
	};

	for (size_t i = 0; i < fl_nitems(flags); i++)
		if (flags[i].is_set)
			fl_jsonw_bool(w, flags[i].key, true);
	fl_jsonw_str_oe(w, "maintenance_text", r->maintenance_text);
}

static void
write_route(const struct route *r, struct fl_buf *b, bool for_etcd, const char *status)
{
	struct fl_jsonw w = fl_jsonw(b);
	const char *hash = strchr(r->id, '/') + 1;

	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_str(&w, "id", for_etcd ? hash : r->id);
	fl_jsonw_str_oe(&w, "parent_ref", r->parent_ref);
	if (for_etcd)
		fl_jsonw_str_oe(&w, "once", r->once);
	fl_jsonw_str(&w, "type", type_names[r->type]);
	fl_jsonw_open(&w, "config", '{');
	if (r->type == ROUTE_TCP)
		fl_jsonw_int(&w, "port", r->port);
	fl_jsonw_str_oe(&w, "domain", r->domain);
	fl_jsonw_str_oe(&w, "path", r->path);
	fl_jsonw_str(&w, "service", r->service);
	fl_jsonw_str_oe(&w, "tls_cert", r->tls_cert);
	if (for_etcd)
		fl_jsonw_str_oe(&w, "tls_key", r->tls_key);
	write_flags(r, &w);
	if (status != NULL)
		fl_jsonw_raw(&w, "auto_tls_status", status);
	fl_jsonw_close(&w, '}');
	fl_jsonw_str_oe(&w, "created_at", r->created_at);
	fl_jsonw_str_oe(&w, "updated_at", r->updated_at);
	fl_jsonw_close(&w, '}');
}

void
route_write(const struct route *r, struct fl_buf *b, bool for_etcd)
{
	write_route(r, b, for_etcd, NULL);
}

void
route_write_status(const struct route *r, struct fl_buf *b, const char *auto_tls_status)
{
	write_route(r, b, false, auto_tls_status);
}

bool
route_is_same(const struct route *a, const struct route *b)
{
	return a->once != NULL && b->once != NULL && strcmp(a->once, b->once) == 0 && a->type == b->type &&
	       strcmp(a->parent_ref != NULL ? a->parent_ref : "", b->parent_ref != NULL ? b->parent_ref : "") == 0;
}

char *
route_key(const struct route *r)
{
	return r->type == ROUTE_HTTP ? fl_xstrdup(r->domain) : fl_xasprintf(":%d", r->port);
}

void
route_stamp(struct route *r, const char *created_at)
{
	char now[FL_CLOCK_RFC3339_LEN];

	fl_clock_format(fl_clock_wall_us(), now);
	free(r->created_at);
	free(r->updated_at);
	r->created_at = fl_xstrdup(created_at != NULL ? created_at : now);
	r->updated_at = fl_xstrdup(now);
}
