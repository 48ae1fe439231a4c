/*
 * manifest - layer 0: the jobs that host runs of its own accord, in order, before all others.
 *
 * The file is a JSON array; flynn-manifest(5) describes it.
 */
#ifndef HOST_MANIFEST_H
#define HOST_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>

struct fl_err;
struct fl_job;
struct host;
struct manifest;
struct template_data;

/* The metadata key that ties a container of layer 0 to its entry, for a host that lost its state. */
#define MANIFEST_META "flynn-host.manifest"

/* path NULL or "": no layer 0. "-": standard input. */
struct manifest *manifest_load(const char *path, struct fl_err *err);
struct manifest *manifest_parse(const char *text, size_t len, struct fl_err *err);
void manifest_free(struct manifest *m);

/* The job of entry i, without an id. data's ports are filled in by the entry. */
struct fl_job *manifest_job(const struct manifest *m, size_t i, const struct template_data *data, struct fl_err *err);
size_t manifest_count(const struct manifest *m);
const char *manifest_id(const struct manifest *m, size_t i);

/*
 * Make the host's jobs of layer 0 what the manifest says: missing ones are added, changed ones get a new container,
 * those it does not name any more are stopped.
 */
int manifest_apply(struct host *h, struct fl_err *err);
/* Whether all of layer 0 is up; if not, what is missing, and why, is appended to why (may be NULL). */
struct fl_buf;
bool manifest_is_up(const struct host *h, struct fl_buf *why);

#endif
