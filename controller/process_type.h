/*
 * process_type - what a release says of each of its processes, checked, and how formations count them.
 */
#ifndef CONTROLLER_PROCESS_TYPE_H
#define CONTROLLER_PROCESS_TYPE_H

#include <stdbool.h>

struct fl_buf;
struct fl_err;
struct fl_json;

/*
 * Check a release's "processes", null or an object of process types, and append it to out in the shape that is
 * stored: as it came, but ports always an array of ports with all three members.
 */
int process_type_store(const struct fl_json *processes, struct fl_buf *out, struct fl_err *err);

/*
 * Check a formation's "processes", null or an object of counts, against a release's process types: INVALID
 * when a count is no number from 0 on or a type is not among them.
 */
int process_type_check_counts(const struct fl_json *counts, const struct fl_json *types, struct fl_err *err);
/* A protected app has at least one job of each type: INVALID when counts leave one out. */
int process_type_check_protected(const struct fl_json *counts, const struct fl_json *types, struct fl_err *err);

/* The "resources" of one, or of a one-off job: both forms of limits; what else newer clients name there is theirs. */
int process_type_check_limits(const struct fl_json *resources, struct fl_err *err);
/* Whether its jobs keep data that outlives them. */
bool process_type_has_volume(const struct fl_json *type);
/* Whether two jobs of the process type cannot run beside one another: it has a volume or a fixed port. */
bool process_type_is_exclusive(const struct fl_json *type);

/* The longest that a health check of its ports may take, where one says so; 0: none does. */
int process_type_check_timeout_s(const struct fl_json *type);

#endif
