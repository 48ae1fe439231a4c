/*
 * tree - directories that belong to the unprivileged user.
 */
#ifndef SLUGBUILDER_TREE_H
#define SLUGBUILDER_TREE_H

struct fl_err;
struct user;

/* Make dir, its parents too, and give it to u. It must be empty or absent: else CONFLICT. */
int tree_make(const char *dir, const struct user *u, struct fl_err *err);
/* Remove all that is in dir, under u's rights; what cannot be removed stays. */
void tree_clear(const char *dir, const struct user *u);
/* Is there anything in dir? */
int tree_is_empty(const char *dir);

#endif
