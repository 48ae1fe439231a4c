/*
 * git - the remotes of the repository we stand in.
 */
#ifndef CLI_GIT_H
#define CLI_GIT_H

#include <stdbool.h>

struct fl_err;

/* Call visit for each push remote of the repository around the working directory; false: we stand in none. */
bool git_each_remote(void (*visit)(const char *name, const char *url, void *arg), void *arg);
/* The value of flynn.remote in the repository's config (caller frees), or NULL. */
char *git_flynn_remote(void);
/*
 * Make name point to url. *replaced is where it pointed to before (caller frees), NULL if nowhere else. -1: NOT_FOUND
 * outside a repository, INVALID with git's sentence.
 */
int git_set_remote(const char *name, const char *url, char **replaced, struct fl_err *err);

#endif
