#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "gitreceive/privileges.h"
#include "libflynn/err.h"

int
privileges_shed(const char *user, struct fl_err *err)
{
	static const struct rlimit no_core = { 0, 0 };
	const struct passwd *pw;

	if (geteuid() == 0 && user != NULL && *user != '\0') {
		if ((pw = getpwnam(user)) == NULL)
			return fl_err_set(err, FL_ERR_SYSTEM, "there is no user %s to become", user);
		if (setgroups(0, NULL) == -1 || setgid(pw->pw_gid) == -1 || setuid(pw->pw_uid) == -1)
			return fl_err_sys(err, "become user %s", user);
	}
	/* After setuid(), which clears some of these. */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1 ||
	    prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0) == -1 || setrlimit(RLIMIT_CORE, &no_core) == -1)
		return fl_err_sys(err, "shed privileges");
	return 0;
}
