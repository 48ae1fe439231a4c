/*
 * pack - a directory as a tar in zstd: slugs and caches.
 *
 * Entries come in the order of their names, with times and modes but nobody's name, so the same tree
 * makes the same bytes.
 */
#ifndef SLUGBUILDER_PACK_H
#define SLUGBUILDER_PACK_H

#include <stdint.h>

struct fl_err;
struct ignore;

/* What pack writes, as a media type. */
#define PACK_MEDIA_TYPE "application/zstd"

/* Write dir to fd at its position; ignore may be NULL. Returns the bytes written, or -1. */
int64_t pack(const char *dir, const struct ignore *ignore, int fd, struct fl_err *err);
/*
 * A number that changes when a file under dir is made, removed or changed, as far as names, sizes,
 * modes and times tell. 0 when dir has none.
 */
uint64_t pack_fingerprint(const char *dir);

#endif
