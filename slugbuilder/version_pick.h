/*
 * version_pick - `flynn-slugbuilder semver-pick`: npm's way to choose a version, for buildpacks.
 */
#ifndef SLUGBUILDER_VERSION_PICK_H
#define SLUGBUILDER_VERSION_PICK_H

/*
 * semver-pick [-admits VERSION] RANGE: of the versions on standard input, one a line, print the
 * highest that RANGE admits. A line's second word on is a range of the version's own: with -admits only
 * lines count whose range admits VERSION, or that have none. Returns the exit status: 0, 1 when none
 * fits, 2 for a wrong RANGE, VERSION or usage.
 */
int version_pick(int argc, char **argv);

#endif
