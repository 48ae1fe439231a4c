/* install - the slug of a container, fetched once and found again after any restart. */
#include "slugbuilder/install.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "libflynn/err.h"
#include "libflynn/xmalloc.h"
#include "slugbuilder/download.h"
#include "slugbuilder/tree.h"
#include "slugbuilder/unpack.h"
#include "slugbuilder/user.h"

#define ATTEMPTS 6
#define FIRST_PAUSE_MS 200

/* Writing a slug out at once would slow down the start of the app, and of those beside it. */
#define SETTLE_S 10

static const struct unpack_limits limits = { .bytes = INT64_C(8) << 30, .entries = 1000000 };

/* The contents of DIR.ok: whole on the disk, or else the boot during which it was unpacked. */
#define ON_DISK "disk"
#define BOOT_ID "/proc/sys/kernel/random/boot_id"
#define MARK_LEN 64

/* -1 when there is no such file. */
static int
read_word(const char *path, char word[MARK_LEN])
{
	FILE *f = fopen(path, "re");
	size_t n;

	if (f == NULL)
		return -1;
	n = fread(word, 1, MARK_LEN - 1, f);
	fclose(f);
	word[n] = '\0';
	word[strcspn(word, "\n")] = '\0';
	return 0;
}

bool
install_is_done(const char *dir)
{
	char mark[MARK_LEN], boot[MARK_LEN] = "";
	char *path = fl_xasprintf("%s.ok", dir);
	bool done = !tree_is_empty(dir);

	if (done && read_word(path, mark) == 0) {
		read_word(BOOT_ID, boot);
		done = strcmp(mark, ON_DISK) == 0 || strcmp(mark, boot) == 0;
	}
	free(path);
	return done;
}

static int
write_mark(const char *dir, const char *word, struct fl_err *err)
{
	char *path = fl_xasprintf("%s.ok", dir), *beside = fl_xasprintf("%s.ok.tmp", dir);
	int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644), rc = -1;

	if (fd != -1 && write(fd, word, strlen(word)) == (ssize_t)strlen(word) && rename(beside, path) == 0)
		rc = 0;
	else
		fl_err_sys(err, "write %s", path);
	if (fd != -1)
		close(fd);
	free(beside);
	free(path);
	return rc;
}

/*
 * The app need not wait for the disk; a process that nobody waits for does. It is no child of ours,
 * because we become the app, which knows nothing of it.
 */
static void
settle_in_background(const char *dir)
{
	pid_t pid = fork();
	int fd;

	if (pid > 0)
		waitpid(pid, NULL, 0);
	if (pid != 0)
		return;
	if (fork() != 0)
		_exit(0);
	for (int i = 0; i <= STDERR_FILENO; i++) /* or who reads them would wait for us */
		close(i);
	sleep(SETTLE_S);
	if ((fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) != -1 && syncfs(fd) == 0)
		write_mark(dir, ON_DISK, NULL);
	_exit(0);
}

static int
fetch(const char *dir, const char *url, const struct user *u, struct fl_err *err)
{
	struct download *d = NULL;
	int64_t entries;

	tree_clear(dir, u);
	if (tree_make(dir, u, err) == -1 || (url != NULL && (d = download_new(url, err)) == NULL))
		return -1;
	user_enter(u);
	entries = url != NULL ? unpack(download_read, d, dir, &limits, err)
			      : unpack_fd(STDIN_FILENO, dir, &limits, err);
	user_leave();
	download_free(d);
	if (entries == 0)
		return fl_err_set(err, FL_ERR_INVALID, "the slug is empty");
	return entries == -1 ? -1 : 0;
}

static bool
is_passing(enum fl_err_kind kind)
{
	return kind == FL_ERR_UNAVAILABLE || kind == FL_ERR_TIMEOUT || kind == FL_ERR_SYSTEM;
}

static int
fetch_patiently(const char *dir, const char *url, const struct user *u, struct fl_err *err)
{
	for (int attempt = 1;; attempt++) {
		struct fl_err why = { 0 };
		long ms = FIRST_PAUSE_MS << (attempt - 1);

		if (fetch(dir, url, u, &why) == 0)
			return 0;
		if (url == NULL || attempt == ATTEMPTS || !is_passing(why.kind))
			return fl_err_set(err, why.kind, "%s", why.msg);
		fprintf(stderr, "flynn-slugrunner: cannot fetch the slug: %s; trying again in %ld ms (%d of %d)\n", why.msg, ms,
		    attempt, ATTEMPTS);
		nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 }, NULL);
	}
}

int
install(const char *dir, const char *url, const struct user *u, struct fl_err *err)
{
	char *beside = fl_xasprintf("%s.tmp", dir), boot[MARK_LEN] = "";
	int rc = -1;

	read_word(BOOT_ID, boot);
	if (fetch_patiently(beside, url, u, err) == -1)
		goto out;
	tree_clear(dir, u); /* what a power cut left */
	if (write_mark(dir, boot, err) == -1)
		goto out;
	if (rename(beside, dir) == -1) {
		fl_err_sys(err, "rename %s to %s", beside, dir);
		goto out;
	}
	settle_in_background(dir);
	rc = 0;
out:
	free(beside);
	return rc;
}
