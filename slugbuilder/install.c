/* install - the slug of a container, fetched once and found again after any restart. */
#include "slugbuilder/install.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "libflynn/err.h"
#include "libflynn/process.h"
#include "libflynn/xmalloc.h"
#include "slugbuilder/download.h"
#include "slugbuilder/tree.h"
#include "slugbuilder/unpack.h"
#include "slugbuilder/user.h"

#define ATTEMPTS 6
#define FIRST_PAUSE_MS 200

/* Writing a slug out at once would slow down the start of the app, and of those beside it. */
#define SETTLE_S 10

#define MAX_BYTES (INT64_C(8) << 30)
#define MAX_ENTRIES 1000000

/* The contents of DIR.ok: whole on the disk, or else the boot during which it was unpacked; or that it is not whole. */
#define ON_DISK "disk"
#define HALF "half"
#define BOOT_ID "/proc/sys/kernel/random/boot_id"
#define MARK_LEN 64

/* Where a slug is unpacked. */
struct place {
	const char *dir;
	const struct user *user;
	bool is_ours; /* emptied before */
	struct unpack_limits limits;
};

/* The volumes inside of dir, by their paths in it ("" is dir itself); ends with NULL. */
static char **
volumes_inside(const char *dir)
{
	const char *paths = getenv(FL_PROCESS_VOLUMES);
	size_t n = 0, dir_len = strlen(dir);
	char **inside = fl_xcalloc(1, sizeof(*inside));

	while (paths != NULL && *paths != '\0') {
		size_t len = strcspn(paths, ":");

		if (len >= dir_len && strncmp(paths, dir, dir_len) == 0 && (len == dir_len || paths[dir_len] == '/')) {
			inside = fl_xreallocarray(inside, n + 2, sizeof(*inside));
			inside[n++] = len == dir_len ? fl_xstrdup("") : fl_xstrndup(paths + dir_len + 1, len - dir_len - 1);
			inside[n] = NULL;
		}
		paths += len;
		paths += *paths == ':';
	}
	return inside;
}

static void
free_volumes(char **volumes)
{
	for (char **v = volumes; *v != NULL; v++)
		free(*v);
	free(volumes);
}

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
install_is_done(const char *dir, const char *url)
{
	char mark[MARK_LEN], boot[MARK_LEN] = "";
	char *path = fl_xasprintf("%s.ok", dir), **volumes = volumes_inside(dir);
	bool done = !tree_is_empty(dir);

	if (done && read_word(path, mark) == 0) {
		read_word(BOOT_ID, boot);
		done = strcmp(mark, ON_DISK) == 0 || strcmp(mark, boot) == 0;
	} else if (url != NULL && volumes[0] != NULL) {
		done = false; /* what is there may be the volumes, and no app */
	}
	free_volumes(volumes);
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
fetch(const struct place *p, const char *url, struct fl_err *err)
{
	struct download *d = NULL;
	int64_t entries;

	if (p->is_ours)
		tree_clear(p->dir, p->user);
	if ((p->is_ours && tree_make(p->dir, p->user, err) == -1) || (url != NULL && (d = download_new(url, err)) == NULL))
		return -1;
	user_enter(p->user);
	entries = url != NULL ? unpack(download_read, d, p->dir, &p->limits, err)
			      : unpack_fd(STDIN_FILENO, p->dir, &p->limits, err);
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
fetch_patiently(const struct place *p, const char *url, struct fl_err *err)
{
	for (int attempt = 1;; attempt++) {
		struct fl_err why = { 0 };
		long ms = FIRST_PAUSE_MS << (attempt - 1);

		if (fetch(p, url, &why) == 0)
			return 0;
		if (url == NULL || attempt == ATTEMPTS || !is_passing(why.kind))
			return fl_err_set(err, why.kind, "%s", why.msg);
		fprintf(stderr, "flynn-slugrunner: cannot fetch the slug: %s; trying again in %ld ms (%d of %d)\n", why.msg, ms,
		    attempt, ATTEMPTS);
		nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 }, NULL);
	}
}

static int
install_beside(const char *dir, const char *url, const struct user *u, const char *boot, struct fl_err *err)
{
	char *beside = fl_xasprintf("%s.tmp", dir);
	const struct place p = { beside, u, true, { MAX_BYTES, MAX_ENTRIES, NULL } };
	int rc = -1;

	if (fetch_patiently(&p, url, err) == -1)
		goto out;
	tree_clear(dir, u); /* what a power cut left */
	if (write_mark(dir, boot, err) == -1)
		goto out;
	if (rename(beside, dir) == -1) {
		fl_err_sys(err, "rename %s to %s", beside, dir);
		goto out;
	}
	rc = 0;
out:
	free(beside);
	return rc;
}

/* A folder that was made for root; -1 with errno. */
static int
give_folder(int fd, const struct user *u)
{
	struct stat st;

	return fstat(fd, &st) == -1 || (st.st_uid == 0 && fchown(fd, u->uid, u->gid) == -1) ? -1 : 0;
}

/*
 * The folders that lead to a volume were made with it, as root's; the slug may have files in them. What is no folder is
 * the app's from before, which must not lead us to others by a link.
 */
static int
give_way_to(const char *dir, const char *volume, const struct user *u, struct fl_err *err)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), rc = 0;

	for (const char *slash; rc == 0 && fd != -1; volume = slash + 1) {
		char *name;
		int below;

		if (give_folder(fd, u) == -1)
			rc = fl_err_sys(err, "give the folders of %s that lead to %s to %s", dir, volume, u->name);
		if ((slash = strchr(volume, '/')) == NULL)
			break;
		name = fl_xstrndup(volume, (size_t)(slash - volume));
		below = openat(fd, *name != '\0' ? name : ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		free(name);
		close(fd);
		fd = below;
	}
	if (fd != -1)
		close(fd);
	return rc;
}

static int
install_around(const char *dir, const char *url, const struct user *u, const char *boot, char *const *volumes,
    struct fl_err *err)
{
	const struct place p = { dir, u, false, { MAX_BYTES, MAX_ENTRIES, (const char *const *)volumes } };

	for (char *const *v = volumes; *v != NULL; v++) {
		if (**v == '\0')
			return fl_err_set(err, FL_ERR_INVALID, "a volume is at %s, where the app itself goes: attach it elsewhere, as at %s/data",
			    dir, dir);
		if (give_way_to(dir, *v, u, err) == -1)
			return -1;
	}
	if (write_mark(dir, HALF, err) == -1 || fetch_patiently(&p, url, err) == -1)
		return -1;
	return write_mark(dir, boot, err);
}

int
install(const char *dir, const char *url, const struct user *u, struct fl_err *err)
{
	char **volumes = volumes_inside(dir), boot[MARK_LEN] = "";
	int rc;

	read_word(BOOT_ID, boot);
	rc = volumes[0] != NULL ? install_around(dir, url, u, boot, volumes, err) : install_beside(dir, url, u, boot, err);
	if (rc == 0)
		settle_in_background(dir);
	free_volumes(volumes);
	return rc;
}
