/*
 * types - the process types that a build announced in its output.
 */
#ifndef TYPES_H
#define TYPES_H

#include <stdbool.h>
#include <stddef.h>

#define TYPES_MAX_LINE 4096

/* Fed with the builder's output; the first line with "types ... -> a, b" counts. { 0 } to begin. */
struct types {
	char line[TYPES_MAX_LINE]; /* the one under way */
	size_t len;
	bool found;
	char **names;
	size_t n;
};

void types_feed(struct types *t, const char *data, size_t len);
void types_release(struct types *t);

#endif
