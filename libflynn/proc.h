/*
 * proc - run a program and learn, from the event loop, how it ended.
 *
 * Built on pidfd_open(2): no SIGCHLD handler and no table of children, so two
 * modules of one daemon can both run programs. Not thread-safe: use a proc only
 * from the thread that runs its event base.
 */
#ifndef FL_PROC_H
#define FL_PROC_H

#include <sys/types.h>

struct event_base;
struct fl_err;
struct fl_proc;

/*
 * How it ended: the exit status, or 128 plus the killing signal, as in sh(1).
 * Called exactly once, never before fl_proc_start() has returned; not after a free.
 */
typedef void (*fl_proc_cb)(int status, void *arg);

struct fl_proc_opts {
	const char *const *argv; /* ends with NULL; argv[0] is found in $PATH */
	const char *const *env;	 /* ends with NULL; NULL: ours */
	int stdio[3];		 /* descriptors to be 0, 1, 2 there; -1: ours. They stay the caller's. */
	const char *cwd;	 /* NULL: ours */
	int new_group;		 /* lead a process group of its own, which fl_proc_kill() then signals whole */
};

/*
 * Run it with default signal dispositions. Returns a handle borrowed until cb has run;
 * or NULL with err set (SYSTEM) and nothing running.
 */
struct fl_proc *fl_proc_start(struct event_base *base, const struct fl_proc_opts *opts,
    fl_proc_cb cb, void *arg, struct fl_err *err);
pid_t fl_proc_pid(const struct fl_proc *p);
/* Signal it (its group, with new_group). */
void fl_proc_kill(struct fl_proc *p, int sig);
/* Forget it: SIGKILL, reap, no callback. NULL is fine. */
void fl_proc_free(struct fl_proc *p);

#endif
