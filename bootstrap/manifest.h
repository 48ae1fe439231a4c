/*
 * manifest - the steps of a bootstrap and what each comes after.
 *
 * A step comes after those it lists in "after", those it names in "app_step", "from_step" and
 * "cert_step", and those whose data its templates use. The format is in flynn-manifest(5).
 */
#ifndef BOOTSTRAP_MANIFEST_H
#define BOOTSTRAP_MANIFEST_H

#include <stddef.h>

struct bootstrap;
struct fl_err;
struct step;

struct manifest {
	struct step **steps; /* in the order of the file */
	size_t n;
};

/* Read and check the whole manifest before anything runs: unknown actions, missing steps and circles are INVALID. */
struct manifest *manifest_read(struct bootstrap *b, const char *path, struct fl_err *err);
struct manifest *manifest_parse(struct bootstrap *b, const char *text, size_t len, struct fl_err *err);
struct step *manifest_find(const struct manifest *m, const char *id);
void manifest_free(struct manifest *m);

#endif
