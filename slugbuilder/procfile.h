/*
 * procfile - the process types that an app declares: one "TYPE: COMMAND" a line.
 *
 * CRLF, tabs, blank lines, comments (#) and a byte order mark are fine. For builder and runner.
 */
#ifndef SLUGBUILDER_PROCFILE_H
#define SLUGBUILDER_PROCFILE_H

#include <stddef.h>

struct fl_buf;
struct fl_err;
struct fl_map;

#define PROCFILE_MAX_BYTES (256u << 10)
#define PROCFILE_MAX_TYPES 64

/*
 * Type -> command (malloc'd: fl_map_free_with free), in the file's order, added to types. -1 with
 * INVALID and a sentence that names the line.
 */
int procfile_parse(const char *text, size_t len, struct fl_map *types, struct fl_err *err);
/* The types' names as "web, worker". */
void procfile_names(const struct fl_map *types, struct fl_buf *out);

#endif
