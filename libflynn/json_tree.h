/*
 * json_tree - how a parsed value lies in memory: for json.c, json_parse.c and json_write.c.
 */
#ifndef FL_JSON_TREE_H
#define FL_JSON_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libflynn/json.h"

struct fl_json {
	enum fl_json_type type;
	bool is_int; /* NUMBER: whole and within 64 bits, so that i holds it */
	union {
		bool b;
		int64_t i;
		char *str; /* STRING; the text of a NUMBER that is no int */
		struct fl_json_members *m;
	};
};

/* Of an array or object. */
struct fl_json_members {
	size_t n, n_keys; /* an array has no keys; an object under construction may be a key ahead */
	struct fl_json *items;
	char **keys;
	uint32_t *index; /* positions sorted by key; NULL in small objects */
};

/* Free what v holds, not v. */
void json_release(struct fl_json *v);
/* Free them, and what they hold. */
void json_members_free(struct fl_json_members *m);
/* The position of a key among the first n members, or -1. By the index, if there is one, which is of all of them. */
int64_t json_find(const struct fl_json_members *m, size_t n, const char *key);

#endif
