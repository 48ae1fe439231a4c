/* user - the unprivileged user that touches what an app's author sent. */
#include "slugbuilder/user.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "libflynn/err.h"
#include "libflynn/log.h"

int
user_find(const char *name, struct user *u, struct fl_err *err)
{
	const struct passwd *pw;

	if (getuid() != 0) {
		*u = (struct user){ .uid = getuid(), .gid = getgid() };
		snprintf(u->name, sizeof(u->name), "%u", (unsigned)u->uid);
		return 0;
	}
	if ((pw = getpwnam(name)) == NULL && (pw = getpwnam("nobody")) == NULL)
		return fl_err_set(err, FL_ERR_SYSTEM, "there is neither a user %s nor nobody to run as", name);
	*u = (struct user){ .uid = pw->pw_uid, .gid = pw->pw_gid };
	snprintf(u->name, sizeof(u->name), "%s", pw->pw_name);
	return 0;
}

static void
must(int rc, const char *what)
{
	if (rc == 0)
		return;
	fl_log_error("cannot change user", fl_str("call", what));
	abort(); /* going on with the wrong rights is worse */
}

void
user_enter(const struct user *u)
{
	if (getuid() != 0)
		return;
	must(setgroups(0, NULL), "setgroups");
	must(setegid(u->gid), "setegid");
	must(seteuid(u->uid), "seteuid");
}

void
user_leave(void)
{
	if (getuid() != 0)
		return;
	must(seteuid(0), "seteuid");
	must(setegid(0), "setegid");
}

int
user_become(const struct user *u)
{
	if (getuid() != 0)
		return 0;
	if (setgroups(0, NULL) == -1 || setgid(u->gid) == -1 || setuid(u->uid) == -1)
		return -1;
	return 0;
}
