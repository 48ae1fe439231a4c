/*
 * cache - what an app's build keeps for its next one.
 *
 * A cache makes builds faster and never fails one: what goes wrong is a warning to the person.
 */
#ifndef SLUGBUILDER_CACHE_H
#define SLUGBUILDER_CACHE_H

#include <stdint.h>

struct output;
struct user;

struct cache {
	const char *dir, *get_url, *put_url; /* URLs may be NULL */
	const char *work_dir;		     /* for the packed cache */
	const struct user *user;
	const struct output *out;
	uint64_t fingerprint; /* of what was restored */
};

/* Fill dir, which is made and is left empty when there is no cache or a broken one. */
void cache_restore(struct cache *c);
/* Store dir, unless it is as it was restored. */
void cache_store(const struct cache *c);

#endif
