/*
 * semver - versions and ranges of npm (semver.org 2.0.0, node-semver's range grammar).
 *
 * For buildpacks, which choose a runtime before there is a runtime to run npm's own
 * semver with: `flynn-slugbuilder semver-pick RANGE <versions`. Ranges: exact, x-ranges,
 * caret, tilde, comparators, hyphen ranges, any of them side by side (and) or parted
 * by || (or). "", "*" and "x" admit every release.
 */
#ifndef SLUGBUILDER_SEMVER_H
#define SLUGBUILDER_SEMVER_H

#include <stdint.h>

struct fl_err;

struct semver {
	uint64_t part[3]; /* major, minor, patch */
	char pre[64];	  /* pre-release, "" for a release; build metadata is dropped */
};

/* "1.2.3", "v1.2.3-rc.1+build"; -1 when it is no whole version. */
int semver_parse(const char *text, struct semver *v);
/* Less than, equal to or greater than 0, by precedence (semver.org, 11). */
int semver_cmp(const struct semver *a, const struct semver *b);
/*
 * 1 when range admits v, 0 when not, -1 with INVALID when range is none. A pre-release
 * is admitted only by a comparator that names a pre-release of the same release.
 */
int semver_admits(const char *range, const struct semver *v, struct fl_err *err);

#endif
