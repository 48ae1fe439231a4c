/*
 * download - a GET whose body is pulled, block by block, by who needs it.
 *
 * libcurl pushes, an unpacker pulls: the transfer is driven only as far as the next block, so it
 * needs no thread and at most one block of memory. For builder and runner.
 */
#ifndef SLUGBUILDER_DOWNLOAD_H
#define SLUGBUILDER_DOWNLOAD_H

#include <sys/types.h>

struct download;
struct fl_err;

/*
 * Ask for url and wait for the answer's status. NULL with the status' kind when it is no 200, with
 * UNAVAILABLE when there is no answer. The sentence does not tell a signed URL's signature.
 */
struct download *download_new(const char *url, struct fl_err *err);
void download_free(struct download *d);
/* Fits unpack(). 0 only when the whole body has come; a connection lost before is UNAVAILABLE. */
ssize_t download_read(void *download, const void **block, struct fl_err *err);

#endif
