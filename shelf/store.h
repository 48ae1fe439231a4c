/*
 * store - blobs in a folder: written whole or not at all, on disk once it is said that they are.
 *
 *	DIR/blobs/	the blobs, by their paths (blob.h)
 *	DIR/tmp/	uploads under way, each locked by its writer; what nobody holds any more is removed at start
 */
#ifndef SHELF_STORE_H
#define SHELF_STORE_H

#include <stddef.h>
#include <stdint.h>

struct blob;
struct fl_err;
struct store;
struct upload;

/* Makes the folders; removes what a crash left. max_bytes of one blob; 0: as the disk allows. */
struct store *store_open(const char *dir, int64_t max_bytes, struct fl_err *err);
void store_close(struct store *s);

/* Returns a descriptor of the blob's file, whose content begins at BLOB_HEAD_LEN; the caller closes it. -1: NOT_FOUND, INVALID, SYSTEM. */
int store_get(struct store *s, const char *path, struct blob *out, struct fl_err *err);
/* NOT_FOUND, INVALID, SYSTEM. */
int store_delete(struct store *s, const char *path, struct fl_err *err);
/*
 * What is right under a path: cb for each name, in no order; those with more under them end in "/". A path that is not
 * there has nothing under it. -1: INVALID, SYSTEM.
 */
int store_list(struct store *s, const char *path, void (*cb)(const char *name, void *arg), void *arg, struct fl_err *err);

/*
 * Begin to write a blob; readers see the old one, or none, until the end. length: how much will come, -1: not known.
 * NULL: INVALID; NO_SPACE when it cannot fit; TOO_BIG; SYSTEM.
 */
struct upload *upload_start(struct store *s, const char *path, const char *type, int64_t length, struct fl_err *err);
/* -1: NO_SPACE, TOO_BIG, SYSTEM; then only abort is left. */
int upload_write(struct upload *u, const void *data, size_t len, struct fl_err *err);
/*
 * Put it in place, on disk. Frees u; *out is what was stored. -1: NO_SPACE, SYSTEM; readers then see the old blob, or, when
 * only the disk's confirmation failed, the new one.
 */
int upload_commit(struct upload *u, struct blob *out, struct fl_err *err);
void upload_abort(struct upload *u);

#endif
