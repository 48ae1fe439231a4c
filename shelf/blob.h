/*
 * blob - a blob's path as a file's name, and what the file says of the blob.
 *
 * A blob is one file: BLOB_HEAD_LEN bytes of head, in lines of text, then the content. So a rename is enough to change
 * content, type and hash at once, on any file system, and a lone file still tells what it is.
 */
#ifndef SHELF_BLOB_H
#define SHELF_BLOB_H

#include <stdbool.h>
#include <stdint.h>

struct fl_err;

#define BLOB_HEAD_LEN 4096
#define BLOB_PATH_MAX 1024
#define BLOB_TYPE_MAX 255
#define BLOB_DEPTH_MAX 32
#define BLOB_HASH_LEN 64 /* hex SHA-256 */

struct blob {
	int64_t size;
	int64_t modified_s; /* since the epoch */
	char hash[BLOB_HASH_LEN + 1];
	char type[BLOB_TYPE_MAX + 1]; /* "": none was given */
};

/*
 * The file name, relative to the folder of all blobs, of the blob at path ("/a/b"); the caller frees. Parts are escaped,
 * so no path leads anywhere else, and folders end in ",", so "/a" and "/a/b" can both be. NULL with INVALID: not absolute,
 * too long, empty parts, "." or "..", control bytes, no UTF-8.
 */
char *blob_file(const char *path, struct fl_err *err);
/* The same for the folder of all blobs under path ("/": the outermost, ""); a "/" at its end is allowed. */
char *blob_folder(const char *path, struct fl_err *err);
/* The part of a path that a file or folder of that name stands for; NULL: none of ours. The caller frees. */
char *blob_part(const char *file, bool *is_folder);

void blob_head_write(const struct blob *b, const char *path, char head[BLOB_HEAD_LEN]);
/* file_size: of the whole file. -1 with SYSTEM: damaged, or none of ours. */
int blob_head_read(const char head[BLOB_HEAD_LEN], int64_t file_size, struct blob *b, struct fl_err *err);

#endif
