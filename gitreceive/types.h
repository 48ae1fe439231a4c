/*
 * types - the process types that a build announced in its output.
 */
#ifndef GITRECEIVE_TYPES_H
#define GITRECEIVE_TYPES_H

#include <stdbool.h>
#include <stddef.h>

#define TYPES_MAX_LINE 4096

/*
 * Fed with the builder's output, in which "Procfile declares types -> a, b" and "Default types for X -> a, b" count: the
 * last such line, for what a buildpack prints comes before, and a Procfile's before a default. { 0 } to begin.
 */
struct types {
	char line[TYPES_MAX_LINE]; /* the one under way; what is too long for it is cut */
	size_t len;
	bool declared; /* by a Procfile */
	char **names;
	size_t n;
};

void types_feed(struct types *t, const char *data, size_t len);
void types_release(struct types *t);

#endif
