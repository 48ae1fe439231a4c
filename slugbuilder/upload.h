/*
 * upload - PUT a file, and know that it has arrived.
 */
#ifndef SLUGBUILDER_UPLOAD_H
#define SLUGBUILDER_UPLOAD_H

#include <stdint.h>

struct fl_err;

/*
 * Send the size bytes of fd from its beginning to url. Tried three times while the other side cannot be
 * reached or has a passing fault. Done only when it answered 200 or 201.
 */
int upload(const char *url, int fd, int64_t size, const char *media_type, struct fl_err *err);

#endif
