/*
 * route - which host name or port leads to which service, as people, the API and etcd know it.
 */
#ifndef ROUTER_ROUTE_H
#define ROUTER_ROUTE_H

#include <stdbool.h>
#include <stdint.h>

struct fl_buf;
struct fl_err;
struct fl_json;

enum route_type { ROUTE_HTTP, ROUTE_TCP };

struct route {
	enum route_type type;
	char *id;	  /* "http/<md5 of the domain and path>", "tcp/<md5 of the port>"; NULL while the port is 0 */
	char *parent_ref; /* whose it is, "controller/apps/<id>"; may be NULL */
	char *once; /* of whoever made it, to know it again by: other routes of the parent have another; not told; may be NULL */
	char *service;
	char *domain; /* HTTP: lower case, "*." at the start for all names below */
	char *path;   /* HTTP: "/api", for requests at and below it only; NULL: for all of the domain's */
	bool sticky;
	bool leader;	       /* to the service's leader only */
	bool redirect_https;
	bool maintenance;
	char *maintenance_text; /* for those who come meanwhile; may be NULL */
	char *tls_cert, *tls_key; /* PEM; NULL: HTTP only */
	bool auto_tls;		  /* HTTP: a certificate is to be got by ACME, unless it has one of its owner's */
	bool is_cert_auto;	  /* tls_cert was got so, and may be replaced */
	int port;		  /* TCP; 0: one is to be allocated */
	char *created_at, *updated_at; /* RFC 3339; NULL: not stored yet */
};

/* Strict: what is wrong is INVALID, with a sentence. The certificate itself is not looked at. */
struct route *route_parse(const struct fl_json *v, struct fl_err *err);
/*
 * The same route with the members of config that v has replaced, "" removing one. INVALID, too, where that would be another
 * route: another type, domain, path or port.
 */
struct route *route_update(const struct route *old, const struct fl_json *v, struct fl_err *err);
void route_free(struct route *r);
/* The same route with a certificate that was got for it. */
struct route *route_with_cert(const struct route *old, const char *cert_pem, const char *key_pem);
/* r is put in place of old: what was got for the one is good for the other, unless it brings its own. */
void route_keep_cert(struct route *r, const struct route *old);
/* Append its JSON: for the API without the private key; for etcd with it, and with the bare hash as id. */
void route_write(const struct route *r, struct fl_buf *b, bool for_etcd);
/* For the API, with what is to be said of auto_tls, which is JSON; NULL: nothing. */
void route_write_status(const struct route *r, struct fl_buf *b, const char *auto_tls_status);
/* Whether both were asked for by the same request, which came twice. */
bool route_is_same(const struct route *a, const struct route *b);
/* Choose the port of a TCP route; sets the id. */
void route_set_port(struct route *r, int port);
/* The type's name, "http" or "tcp". */
/* "www.example.com" or ":2222": what workers look up, beside the path. The caller frees. */
char *route_key(const struct route *r);
/* Replace both times: created_at may be NULL for "now". */
void route_stamp(struct route *r, const char *created_at);

#endif
