/*
 * read_file - a file that the user names, whole and bounded.
 */
#ifndef CLI_READ_FILE_H
#define CLI_READ_FILE_H

#include <stddef.h>

struct fl_err;

/* Its bytes, NUL-terminated behind *len (caller frees); path "-" is standard input. NULL: SYSTEM, or TOO_BIG above max bytes. */
char *read_file(const char *path, size_t max, size_t *len, struct fl_err *err);

#endif
