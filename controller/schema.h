/*
 * schema - the controller's tables, made and migrated when it starts.
 *
 * All that is missing is done in one transaction under an advisory lock, so several
 * controllers may start at once and a killed one leaves nothing half done. It is tried until it
 * succeeds.
 */
#ifndef CONTROLLER_SCHEMA_H
#define CONTROLLER_SCHEMA_H

#include <stdbool.h>

struct event_base;
struct schema;

/* conninfo as in fl_pg_opts; on_ready is called once, from the loop. */
struct schema *schema_start(struct event_base *base, char *(*conninfo)(void *arg), void (*on_ready)(void *arg), void *arg);
bool schema_is_ready(const struct schema *s);
void schema_free(struct schema *s);

#endif
