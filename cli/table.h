/*
 * table - lists for people: aligned columns, upper-case heads, coloured states on a terminal only.
 */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>

struct table;

/* heads: NULL-terminated. */
struct table *table_new(const char *const *heads);
/* As many cells as heads; copied; NULL is "". */
void table_row(struct table *t, ...);
/* On standard output: two spaces between columns, none behind the last; nothing without rows. Frees the table. */
void table_print(struct table *t);

/* A line that a job has another state, on standard output at once: what rollouts call back with (libflynn/rollout.h). */
void table_print_job(const char *type, const char *state, const char *job_id, void *arg);

/* Whether standard output is a terminal that wants colours ($NO_COLOR unset or empty, $TERM set and not dumb). */
bool table_colours(void);
/* "3 minutes" since an RFC 3339 time; "" when it is none. buf holds at least 32 bytes. */
const char *table_age(const char *rfc3339, char *buf, size_t size);

#endif
