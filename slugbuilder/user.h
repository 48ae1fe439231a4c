/*
 * user - the unprivileged user that touches what an app's author sent.
 *
 * Source, buildpacks and slugs are strangers' files: they are unpacked, run and packed
 * under this user's rights, while root keeps what it must not see (signed URLs).
 * A program that is not root stays who it is; entering is then nothing.
 */
#ifndef SLUGBUILDER_USER_H
#define SLUGBUILDER_USER_H

#include <sys/types.h>

struct fl_err;

struct user {
	uid_t uid;
	gid_t gid;
	char name[32];
};

/* The user called name, else nobody. Not root: we ourselves. -1 with SYSTEM when there is none. */
int user_find(const char *name, struct user *u, struct fl_err *err);
/* Take u's rights for now, and give them back. Failing to is a broken system: aborts. */
void user_enter(const struct user *u);
void user_leave(void);
/* Become u for good, between fork and exec or before exec. -1 with errno. */
int user_become(const struct user *u);

#endif
