/* child - run a program of a stranger as an unprivileged user, and wait for its end. */
#include "slugbuilder/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/clock.h"
#include "libflynn/err.h"
#include "slugbuilder/output.h"
#include "slugbuilder/user.h"

/* Output that comes from nobody we know of (we cannot see the writer) is waited for this long. */
#define DRAIN_MS 1000

/* poll(2) takes an int; a longer wait is several. */
#define POLL_MAX_MS 60000

/* The session that a signal to us must end as well; 0: none. For the handler alone. */
static volatile sig_atomic_t running;

enum { ANSWER, LOG, EXITED, NFDS };

struct run {
	const struct child *c;
	struct output_lines lines;
	struct pollfd fds[NFDS];
	int64_t deadline_ms;
	pid_t pid;
	int status;
};

static void
on_signal(int sig)
{
	static const char said[] = "\033[1G !     Build cancelled\n";

	if (running > 0)
		kill(-running, SIGKILL);
	if (write(STDOUT_FILENO, said, sizeof(said) - 1) == -1) {
		/* nobody reads any more: then nobody need know */
	}
	_exit(128 + sig);
}

int
child_init(struct fl_err *err)
{
	struct sigaction sa = { .sa_handler = on_signal };

	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == -1)
		return fl_err_sys(err, "adopt orphaned processes");
	sigfillset(&sa.sa_mask);
	if (sigaction(SIGTERM, &sa, NULL) == -1 || sigaction(SIGINT, &sa, NULL) == -1)
		return fl_err_sys(err, "catch signals");
	signal(SIGPIPE, SIG_IGN);
	return 0;
}

static FL_NORETURN void
exec_child(const struct child *c, int out, int log)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	sigset_t none;

	sigemptyset(&none);
	signal(SIGTERM, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	if (null != -1 && dup2(null, 0) != -1 && dup2(out, 1) != -1 && dup2(log, 2) != -1 &&
	    user_become(c->user) == 0 && chdir(c->dir) == 0)
		execvpe(c->argv[0], (char *const *)c->argv, c->env);
	dprintf(STDERR_FILENO, "cannot run %s: %s\n", c->argv[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

/* Our children now are what the program left behind: orphans come to us. */
static void
kill_orphans(void)
{
	char path[64], text[4096];

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	for (int round = 0; round < 100; round++) {
		FILE *f = fopen(path, "re");
		size_t n = f != NULL ? fread(text, 1, sizeof(text) - 1, f) : 0;
		char *end;
		long pid;

		if (f != NULL)
			fclose(f);
		if (n == 0)
			return;
		text[n] = '\0';
		/* each number is followed by a blank, but for one that text has no room for */
		for (char *p = text; (pid = strtol(p, &end, 10)) > 0 && *end == ' '; p = end) {
			kill((pid_t)pid, SIGKILL);
			waitpid((pid_t)pid, NULL, 0);
		}
	}
}

static void
reap(struct run *r)
{
	int status = 0;

	kill(-r->pid, SIGKILL); /* a leader not yet reaped keeps the group's number from being used again */
	while (waitpid(r->pid, &status, 0) == -1 && errno == EINTR)
		;
	running = 0;
	r->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	close(r->fds[EXITED].fd);
	r->fds[EXITED].fd = -1;
	kill_orphans();
}

static void
close_end(int *fd)
{
	if (*fd != -1)
		close(*fd);
	*fd = -1;
}

/* Read what is there from one of its outputs. */
static int
on_output(struct run *r, int which, struct fl_err *err)
{
	char data[16384];
	ssize_t n = read(r->fds[which].fd, data, sizeof(data));

	if (n == -1 && errno == EINTR)
		return 0;
	if (n <= 0)
		close_end(&r->fds[which].fd);
	else if (which == LOG)
		output_lines_add(&r->lines, data, n);
	else if (r->c->answer->len + n > r->c->answer_max)
		return fl_err_set(err, FL_ERR_TOO_BIG, "%s printed more than %zu bytes", r->c->argv[0], r->c->answer_max);
	else
		fl_buf_add(r->c->answer, data, n);
	return 0;
}

/* Take what has come: output, or the end. */
static int
on_ready(struct run *r, struct fl_err *err)
{
	for (int i = ANSWER; i <= LOG; i++)
		if (r->fds[i].revents != 0 && on_output(r, i, err) == -1)
			return -1;
	if (r->fds[EXITED].revents != 0) {
		reap(r);
		r->deadline_ms = fl_clock_ms() + DRAIN_MS;
	}
	return 0;
}

/* Until it has ended and its output too, whichever comes first. */
static int
follow(struct run *r, struct fl_err *err)
{
	while (r->fds[ANSWER].fd != -1 || r->fds[LOG].fd != -1 || r->fds[EXITED].fd != -1) {
		int64_t left = r->deadline_ms - fl_clock_ms();
		int n;

		if (left <= 0 && r->fds[EXITED].fd == -1)
			return 0; /* a writer outside our sight keeps the pipe */
		if (left <= 0)
			return fl_err_set(err, FL_ERR_TIMEOUT, "%s ran for more than %d s and was stopped",
			    r->c->argv[0], r->c->timeout_s);
		if ((n = poll(r->fds, NFDS, left > POLL_MAX_MS ? POLL_MAX_MS : (int)left)) == -1 && errno != EINTR)
			return fl_err_sys(err, "wait for %s", r->c->argv[0]);
		if (n > 0 && on_ready(r, err) == -1)
			return -1;
	}
	return 0;
}

/* Fork with signals held, so that the handler never sees a child it does not know. */
static int
start(struct run *r, int out, int log, struct fl_err *err)
{
	sigset_t all, old;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	if ((r->pid = fork()) == 0)
		exec_child(r->c, out, log);
	running = r->pid > 0 ? r->pid : 0;
	sigprocmask(SIG_SETMASK, &old, NULL);
	if (r->pid == -1)
		return fl_err_sys(err, "run %s", r->c->argv[0]);
	if ((r->fds[EXITED].fd = pidfd_open(r->pid, 0)) == -1)
		return fl_err_sys(err, "watch %s", r->c->argv[0]);
	return 0;
}

int
child_run(const struct child *c, const struct output *out, struct fl_err *err)
{
	struct run r = { .c = c, .lines = { .out = out }, .status = -1,
		.deadline_ms = fl_clock_ms() + INT64_C(1000) * c->timeout_s };
	int answer[2] = { -1, -1 }, log[2] = { -1, -1 };
	int status = -1;

	for (int i = 0; i < NFDS; i++)
		r.fds[i] = (struct pollfd){ .fd = -1, .events = POLLIN };
	if ((c->answer != NULL && pipe2(answer, O_CLOEXEC) == -1) || pipe2(log, O_CLOEXEC) == -1) {
		fl_err_sys(err, "make a pipe");
		goto out;
	}
	if (start(&r, c->answer != NULL ? answer[1] : log[1], log[1], err) == -1)
		goto out;
	close_end(&answer[1]);
	close_end(&log[1]);
	r.fds[ANSWER].fd = answer[0];
	r.fds[LOG].fd = log[0];
	answer[0] = log[0] = -1;
	if (follow(&r, err) == 0)
		status = r.status;
out:
	if (r.pid > 0 && r.status == -1)
		reap(&r); /* a run that failed half way */
	for (int i = 0; i < 2; i++) {
		close_end(&answer[i]);
		close_end(&log[i]);
		close_end(&r.fds[i].fd);
	}
	output_lines_end(&r.lines);
	return status;
}
