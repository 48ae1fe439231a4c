/*
 * ignore - .slugignore: which files of the app are left out of its slug.
 *
 * As .gitignore without "!": a name matches at any depth, a pattern with a slash in front
 * or inside from the top, one with a slash behind only directories; * and ? stop at slashes, ** does
 * not. .git is always left out.
 */
#ifndef SLUGBUILDER_IGNORE_H
#define SLUGBUILDER_IGNORE_H

#include <stdbool.h>
#include <stddef.h>

struct ignore;

#define IGNORE_MAX_BYTES (256u << 10)

/* text may be NULL (with len 0). Lines that begin with "!" match nothing. */
struct ignore *ignore_new(const char *text, size_t len);
void ignore_free(struct ignore *ig);
/* path is relative to the app, without "./" in front. A directory that matches goes with all in it. */
bool ignore_matches(const struct ignore *ig, const char *path, bool is_dir);

#endif
