/*
 * textfile - small files at the top of an app: Procfile, .release, .slugignore.
 *
 * The app's author made them, so they may be links to anything and of any size.
 */
#ifndef SLUGBUILDER_TEXTFILE_H
#define SLUGBUILDER_TEXTFILE_H

#include <stddef.h>

struct fl_buf;
struct fl_err;

/* Append dir/name to text. A file that is not there is an empty one; a directory or too long: INVALID, TOO_BIG. */
int textfile_read(const char *dir, const char *name, size_t max, struct fl_buf *text, struct fl_err *err);
/* Write all of it; -1 with errno, also where a full disk took a part. */
int textfile_fill(int fd, const char *data, size_t len);
/* Make or replace dir/name. */
int textfile_write(const char *dir, const char *name, const struct fl_buf *text, struct fl_err *err);

#endif
