/*
 * instance - one place where a service runs: what its owner said, and what we know of it.
 */
#ifndef DISCOVERD_INSTANCE_H
#define DISCOVERD_INSTANCE_H

#include <stdbool.h>
#include <stdint.h>

struct fl_err;
struct fl_json;
struct fl_jsonw;

#define INSTANCE_META_MAX_BYTES (8u << 10)
#define SERVICE_NAME_MAX 128

struct instance {
	char *id;    /* hex MD5 of "proto-addr" */
	char *addr;  /* host:port */
	char *proto; /* lower-case letters and digits */
	char *meta;  /* a JSON object of strings, compact; NULL: none */
	uint64_t index;
};

/* From an owner or from etcd. Strict: INVALID with a sentence. An id that is given must be the right one. */
struct instance *instance_parse(const struct fl_json *v, struct fl_err *err);
struct instance *instance_dup(const struct instance *i);
void instance_free(struct instance *i);
/* Whether owners would call them the same: all but the index. */
bool instance_eq(const struct instance *a, const struct instance *b);
/* Append its members to an open object. */
void instance_write_members(const struct instance *i, struct fl_jsonw *w);
/* Append it as an object. */
void instance_write(const struct instance *i, struct fl_jsonw *w, const char *key);

/* A service's name: 1 to SERVICE_NAME_MAX of a-z, 0-9 and "-". INVALID otherwise. */
int service_name_check(const char *name, struct fl_err *err);

#endif
