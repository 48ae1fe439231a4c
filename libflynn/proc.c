/*
 * proc - see proc.h.
 */
#include "libflynn/proc.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libflynn/attr.h"
#include "libflynn/err.h"
#include "libflynn/xmalloc.h"

struct fl_proc {
	pid_t pid; /* 0: not running, or reaped */
	int fd;	   /* pidfd */
	bool new_group, in_callback;
	struct event *exited;
	fl_proc_cb cb;
	void *arg;
};

static int
reap(struct fl_proc *p)
{
	int status = 0;

	while (waitpid(p->pid, &status, 0) == -1 && errno == EINTR)
		;
	p->pid = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void
proc_free(struct fl_proc *p)
{
	if (p == NULL)
		return;
	if (p->exited != NULL)
		event_free(p->exited);
	if (p->pid != 0) {
		fl_proc_kill(p, SIGKILL);
		reap(p);
	}
	if (p->fd != -1)
		close(p->fd);
	free(p);
}

static void
on_exited(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct fl_proc *p = arg;
	int status = reap(p);

	p->in_callback = true;
	p->cb(status, p->arg);
	proc_free(p);
}

/*
 * The child's 0, 1, 2. A descriptor below 3 is moved up first, since a dup2(2) that comes before it
 * could overwrite it: {1, 0, 2} swaps two. moved[] is the caller's to close.
 */
static int
set_stdio(posix_spawn_file_actions_t *actions, const int stdio[3], int moved[3], struct fl_err *err)
{
	for (int i = 0; i < 3; i++) {
		int from = stdio[i];

		if (from == -1)
			continue;
		if (from < 3) {
			moved[i] = fcntl(from, F_DUPFD_CLOEXEC, 3);
			if (moved[i] == -1)
				return fl_err_sys(err, "duplicate descriptor %d", from);
			from = moved[i];
		}
		errno = posix_spawn_file_actions_adddup2(actions, from, i);
		if (errno != 0)
			return fl_err_sys(err, "hand over descriptor %d", from);
	}
	return 0;
}

static int
spawn(struct fl_proc *p, const struct fl_proc_opts *opts, struct fl_err *err)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t all, none;
	int moved[3] = { -1, -1, -1 }, rc = -1;
	short flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK;

	sigfillset(&all);
	sigemptyset(&none);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigdefault(&attr, &all); /* we ignore SIGPIPE */
	posix_spawnattr_setsigmask(&attr, &none);
	if (opts->new_group)
		flags = (short)(flags | POSIX_SPAWN_SETPGROUP); /* 0: a group named by its own pid */
	posix_spawnattr_setflags(&attr, flags);
	if (set_stdio(&actions, opts->stdio, moved, err) == -1)
		goto out;
	if (opts->cwd != NULL)
		posix_spawn_file_actions_addchdir_np(&actions, opts->cwd);
	errno = posix_spawnp(&p->pid, opts->argv[0], &actions, &attr, (char *const *)opts->argv,
	    opts->env != NULL ? (char *const *)opts->env : environ);
	if (errno != 0) {
		p->pid = 0; /* unspecified after a failure */
		fl_err_sys(err, "run %s", opts->argv[0]);
		goto out;
	}
	rc = 0;
out:
	for (int i = 0; i < 3; i++)
		if (moved[i] != -1)
			close(moved[i]);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	return rc;
}

struct fl_proc *
fl_proc_start(struct event_base *base, const struct fl_proc_opts *opts, fl_proc_cb cb, void *arg,
    struct fl_err *err)
{
	struct fl_proc *p = fl_xcalloc(1, sizeof(*p)), *started = NULL;

	*p = (struct fl_proc){ .fd = -1, .new_group = opts->new_group != 0, .cb = cb, .arg = arg };
	if (spawn(p, opts, err) == -1)
		goto out;
	if ((p->fd = pidfd_open(p->pid, 0)) == -1 ||
	    (p->exited = event_new(base, p->fd, EV_READ, on_exited, p)) == NULL ||
	    event_add(p->exited, NULL) == -1) {
		fl_err_sys(err, "watch %s", opts->argv[0]);
		goto out;
	}
	started = p; /* the event loop owns it now */
	p = NULL;
out:
	proc_free(p); /* kills and reaps the child of a half-done start */
	return started;
}

pid_t
fl_proc_pid(const struct fl_proc *p)
{
	return p->pid;
}

void
fl_proc_kill(struct fl_proc *p, int sig)
{
	if (p->pid != 0) /* not reaped, so the number is still its own */
		kill(p->new_group ? -p->pid : p->pid, sig);
}

void
fl_proc_free(struct fl_proc *p)
{
	if (p != NULL && !p->in_callback) /* its own callback's end frees it */
		proc_free(p);
}
