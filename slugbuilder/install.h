/*
 * install - the slug of a container, fetched once and found again after any restart.
 *
 * A slug is unpacked beside its place and renamed to it, so a half-unpacked one is never used. Beside
 * it, DIR.ok says that it is whole: at first for as long as the machine runs (a power cut may take
 * what was not yet written to disk), then, once all is on the disk, for good.
 *
 * Volumes inside of DIR (FL_PROCESS_VOLUMES) are there before it and cannot be renamed over: then the slug is unpacked in
 * its place around them, and what it has at or below them is left out.
 */
#ifndef SLUGBUILDER_INSTALL_H
#define SLUGBUILDER_INSTALL_H

#include <stdbool.h>

struct fl_err;
struct user;

/* Is there an app in dir, and whole? One that somebody else put there is taken as it is. url: as for install(). */
bool install_is_done(const char *dir, const char *url);
/*
 * Put the slug of url, or of standard input when url is NULL, into dir as u's. A fetch that fails for a
 * passing reason is tried again, with a line on stderr that says why.
 */
int install(const char *dir, const char *url, const struct user *u, struct fl_err *err);

#endif
