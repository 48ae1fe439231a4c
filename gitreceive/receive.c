#include <errno.h>
#include <fcntl.h>
#include <git2.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gitreceive/cluster.h"
#include "gitreceive/receive.h"
#include "gitreceive/repository.h"
#include "libflynn/attr.h"
#include "libflynn/clock.h"
#include "libflynn/err.h"
#include "libflynn/log.h"
#include "libflynn/xmalloc.h"

#define CHUNK (32u << 10)
/* What was told to end gets so long before it is killed. */
#define END_MS 3000

/* A running receive-pack; descriptors are -1 once closed. */
struct receive {
	ssh_session session;
	ssh_event event;
	ssh_channel channel;
	pid_t pid;
	int in, out, err;
	int idle_s;
	char *input; /* taken from the channel, not yet written to git */
	size_t input_off, input_len;
};

static void
say(ssh_channel channel, const char *text)
{
	ssh_channel_write_stderr(channel, text, (uint32_t)strlen(text));
	ssh_channel_write_stderr(channel, "\n", 1);
}

static int
make_repository(const char *path, struct fl_err *err)
{
	git_repository *repo = NULL;
	int r = 0;

	git_libgit2_init();
	if (git_repository_open_bare(&repo, path) != 0 && git_repository_init(&repo, path, 1) != 0)
		r = fl_err_set(err, FL_ERR_SYSTEM, "cannot make the repository: %s", git_error_last() != NULL ? git_error_last()->message : "?");
	git_repository_free(repo);
	git_libgit2_shutdown();
	return r;
}

/* One hook directory for all repositories, with a link to this program as pre-receive. */
static int
make_hooks(const char *dir, struct fl_err *err)
{
	char self[4096], *link = fl_xasprintf("%s/pre-receive", dir), *beside = fl_xasprintf("%s/pre-receive.%d", dir, (int)getpid());
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	int r = 0;

	if (len == -1 || (mkdir(dir, 0700) == -1 && errno != EEXIST)) {
		r = fl_err_sys(err, "make %s", dir);
		goto out;
	}
	self[len] = '\0';
	unlink(beside); /* of a process that had our id and was killed here */
	if (symlink(self, beside) == -1 || rename(beside, link) == -1)
		r = fl_err_sys(err, "make %s", link);
out:
	free(link);
	free(beside);
	return r;
}

static FL_NORETURN void
exec_git(const char *repo, const char *hooks, const int stdio[3])
{
	char *hooks_path = fl_xasprintf("core.hooksPath=%s", hooks);
	char *argv[] = {
		(char *)"git", (char *)"-c", hooks_path,
		(char *)"-c", (char *)"core.bigFileThreshold=8m", /* large files are streamed, not held */
		(char *)"-c", (char *)"receive.unpackLimit=1",
		(char *)"-c", (char *)"pack.threads=1",
		(char *)"receive-pack", (char *)repo, NULL
	};

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
	for (int i = 0; i < 3; i++)
		dup2(stdio[i], i);
	signal(SIGPIPE, SIG_DFL);
	execvp("git", argv);
	_exit(127);
}

static void
close_fd(int *fd)
{
	if (*fd != -1)
		close(*fd);
	*fd = -1;
}

/* Our ends of git's standard input, output and error. */
static int
start_git(struct receive *r, const char *repo, const char *hooks, struct fl_err *err)
{
	int pipes[3][2] = { { -1, -1 }, { -1, -1 }, { -1, -1 } }, *ours[] = { &pipes[0][1], &pipes[1][0], &pipes[2][0] }, result = -1;

	for (int i = 0; i < 3; i++) {
		if (pipe2(pipes[i], O_CLOEXEC) == -1) {
			fl_err_sys(err, "make a pipe");
			goto out;
		}
		fcntl(*ours[i], F_SETFL, O_NONBLOCK);
	}
	if ((r->pid = fork()) == -1) {
		fl_err_sys(err, "start git");
		goto out;
	}
	if (r->pid == 0)
		exec_git(repo, hooks, (const int[]){ pipes[0][0], pipes[1][1], pipes[2][1] });
	setpgid(r->pid, r->pid);
	r->in = *ours[0];
	r->out = *ours[1];
	r->err = *ours[2];
	*ours[0] = *ours[1] = *ours[2] = -1;
	result = 0;
out:
	for (int i = 0; i < 3; i++) {
		close_fd(&pipes[i][0]);
		close_fd(&pipes[i][1]);
	}
	return result;
}

static bool
client_is_there(const struct receive *r)
{
	return ssh_is_connected(r->session) && !ssh_channel_is_closed(r->channel);
}

/* Move what the client sent towards git, one chunk in hand: git's pace is the client's, by the channel's window. */
static void
pump_in(struct receive *r)
{
	while (r->in != -1) {
		ssize_t n;

		if (r->input_len == 0) {
			int got = ssh_channel_read_nonblocking(r->channel, r->input, CHUNK, 0);

			if (got == SSH_EOF || got == SSH_ERROR || (got == 0 && ssh_channel_is_eof(r->channel)))
				close_fd(&r->in);
			if (got <= 0)
				return;
			r->input_off = 0;
			r->input_len = (size_t)got;
		}
		n = write(r->in, r->input + r->input_off, r->input_len);
		if (n == -1 && errno == EAGAIN)
			return;
		if (n == -1) {
			close_fd(&r->in); /* git reads no more: its exit says why */
			return;
		}
		r->input_off += (size_t)n;
		r->input_len -= (size_t)n;
	}
}

/* No more than the client has room for: it is read when its window opens. */
static void
pump_out(struct receive *r, int *fd, bool is_stderr)
{
	char chunk[CHUNK];
	uint32_t room;
	ssize_t n;

	while (*fd != -1 && (room = ssh_channel_window_size(r->channel)) > 0) {
		n = read(*fd, chunk, room < sizeof(chunk) ? room : sizeof(chunk));
		if (n == -1 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			close_fd(fd);
			return;
		}
		if ((is_stderr ? ssh_channel_write_stderr : ssh_channel_write)(r->channel, chunk, (uint32_t)n) == SSH_ERROR)
			return; /* the client has gone: seen by the loop */
	}
}

/* Whether nothing goes on before the client has sent, or read, more. A client of git ends its input with the pack. */
static bool
waits_for_client(const struct receive *r)
{
	return (r->in != -1 && r->input_len == 0) || ssh_channel_window_size(r->channel) == 0;
}

/* Until something can be moved; -1 when the client was waited for, and too long: he holds the lock of the app. */
static int
wait_for_more(struct receive *r, struct pollfd *fds, nfds_t n)
{
	int64_t until = fl_clock_ms() + INT64_C(1000) * r->idle_s;
	int ready;

	do {
		int64_t left = until - fl_clock_ms();

		ready = poll(fds, n, !waits_for_client(r) ? -1 : left > INT_MAX ? INT_MAX : left > 0 ? (int)left : 0);
	} while (ready == -1 && errno == EINTR);
	return ready > 0 ? 0 : -1;
}

static void
give_up(struct receive *r)
{
	char *text = fl_xasprintf("Nothing was heard from your side for %d s, so this push is ended: push again.", r->idle_s);

	if (client_is_there(r) && ssh_channel_window_size(r->channel) > strlen(text))
		say(r->channel, text);
	free(text);
}

static void
pump(struct receive *r)
{
	while (client_is_there(r) && (r->out != -1 || r->err != -1)) {
		bool room = ssh_channel_window_size(r->channel) > 0;
		bool writing = (ssh_get_poll_flags(r->session) & SSH_WRITE_PENDING) != 0;
		/* libssh opens the client's window whatever we have left unread: what git has no room for yet is not fetched. */
		bool reading = r->input_len == 0;
		struct pollfd fds[] = {
			{ ssh_get_fd(r->session), (short)((reading ? POLLIN : 0) | (writing ? POLLOUT : 0)), 0 },
			{ r->input_len > 0 ? r->in : -1, POLLOUT, 0 },
			{ room ? r->out : -1, POLLIN, 0 },
			{ room ? r->err : -1, POLLIN, 0 },
		};

		if (wait_for_more(r, fds, fl_nitems(fds)) == -1) {
			give_up(r);
			return;
		}
		if (fds[0].revents != 0 && ssh_event_dopoll(r->event, 0) == SSH_ERROR)
			return;
		pump_in(r);
		pump_out(r, &r->out, false);
		pump_out(r, &r->err, true);
	}
}

/* Wait for the end of git; a client that has gone makes it end, with its hook and so the build. */
static int
reap(struct receive *r, bool ask_to_end)
{
	int64_t kill_at = fl_clock_ms() + END_MS;
	int status = 0;

	if (!ask_to_end) {
		while (waitpid(r->pid, &status, 0) == -1 && errno == EINTR)
			;
		return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	}
	kill(-r->pid, SIGTERM);
	while (waitpid(r->pid, &status, WNOHANG) == 0 && fl_clock_ms() < kill_at)
		poll(NULL, 0, 20);
	kill(-r->pid, SIGKILL);
	waitpid(r->pid, &status, 0);
	return 128 + SIGTERM;
}

static int
prepare(const char *path, const char *hooks, const char *app, struct fl_err *err)
{
	if (repository_lock(path, app, err) == -1 || make_repository(path, err) == -1)
		return -1;
	return make_hooks(hooks, err);
}

int
receive_run(const struct cluster *c, const char *app_id, const char *app, ssh_session session, ssh_event event, ssh_channel channel)
{
	struct receive r = { .session = session, .event = event, .channel = channel, .in = -1, .out = -1, .err = -1, .idle_s = c->idle_s };
	char *path = fl_xasprintf("%s/%s.git", c->repos, app_id), *hooks = fl_xasprintf("%s/hooks", c->repos);
	struct fl_err err;
	int status = 1;
	bool gone;

	setenv("RECEIVE_APP", app, 1);
	setenv("HOME", c->repos, 1);
	if (prepare(path, hooks, app, &err) == -1 || start_git(&r, path, hooks, &err) == -1) {
		fl_log_error("cannot receive", fl_str("app", app), fl_str("err", err.msg));
		say(channel, err.msg);
		goto out;
	}
	r.input = fl_xmalloc(CHUNK);
	pump(&r);
	gone = r.out != -1 || r.err != -1;
	if (gone)
		fl_log_info("client left before the end: build cancelled", fl_str("app", app));
	close_fd(&r.in);
	status = reap(&r, gone);
out:
	close_fd(&r.out);
	close_fd(&r.err);
	free(r.input);
	free(path);
	free(hooks);
	return status;
}
