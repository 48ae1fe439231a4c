/*
 * unpack - a tar from somewhere, plain, gzip or zstd, into a directory, safely.
 *
 * Refused with a sentence that names the entry: absolute paths, "..", anything that would be written
 * through a symbolic link, and more bytes or entries than allowed. Devices, fifos and sockets are
 * skipped, set-id bits dropped. Nothing is held in memory but one block. For builder and runner.
 */
#ifndef SLUGBUILDER_UNPACK_H
#define SLUGBUILDER_UNPACK_H

#include <stdint.h>
#include <sys/types.h>

struct fl_err;

/* The next bytes, borrowed until the next call; 0 at the end, -1 with err set. */
typedef ssize_t (*unpack_read_cb)(void *arg, const void **block, struct fl_err *err);

struct unpack_limits {
	int64_t bytes;
	int64_t entries;
	/* Paths in dir; what is at and below them is left out. Ends with NULL; may be NULL. */
	const char *const *except;
};

/*
 * Reads to the very end of the input, so that a cut one is an error. The working directory is dir on
 * the way and the old one again afterwards. Returns how many entries there were, or -1 with INVALID
 * (a bad tar), TOO_BIG, NO_SPACE, SYSTEM, or what read said.
 */
int64_t unpack(unpack_read_cb read, void *arg, const char *dir, const struct unpack_limits *limits, struct fl_err *err);
/* The same from a descriptor, which stays open. */
int64_t unpack_fd(int fd, const char *dir, const struct unpack_limits *limits, struct fl_err *err);

#endif
