/*
 * git - the remotes of the repository we stand in.
 */
#ifndef GIT_H
#define GIT_H

#include <stdbool.h>

/* Call visit for each push remote of the repository around the working directory; false: we stand in none. */
bool git_each_remote(void (*visit)(const char *name, const char *url, void *arg), void *arg);
/* The value of flynn.remote in the repository's config (caller frees), or NULL. */
char *git_flynn_remote(void);
/* Make name point to url, replacing what it was; false outside a repository. */
bool git_set_remote(const char *name, const char *url);
bool git_remove_remote(const char *name);

#endif
