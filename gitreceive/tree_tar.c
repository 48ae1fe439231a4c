#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <git2.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gitreceive/tree_tar.h"
#include "libflynn/attr.h"
#include "libflynn/err.h"
#include "libflynn/xmalloc.h"

#define STREAM_FROM (8u << 20)
#define CHUNK (64u << 10)
#define SYMLINK_MAX_LEN 4096

struct tree_tar {
	git_repository *repo;
	git_odb *odb;
	struct archive *out;
	git_time_t mtime;
	struct fl_err *err;
};

static int
git_failed(struct fl_err *err, const char *what)
{
	const git_error *e = git_error_last();

	return fl_err_set(err, FL_ERR_SYSTEM, "%s: %s", what, e != NULL ? e->message : "unknown error of git");
}

static int
archive_failed(struct tree_tar *t, const char *path)
{
	return fl_err_set(t->err, FL_ERR_SYSTEM, "write %s to the builder: %s", path, archive_error_string(t->out));
}

static struct archive_entry *
entry_new(const struct tree_tar *t, const char *path, unsigned type, unsigned mode)
{
	struct archive_entry *e = archive_entry_new();

	archive_entry_set_pathname(e, path);
	archive_entry_set_filetype(e, type);
	archive_entry_set_perm(e, mode);
	archive_entry_set_mtime(e, t->mtime, 0);
	return e;
}

static int
write_header(struct tree_tar *t, struct archive_entry *e)
{
	int r = archive_write_header(t->out, e) == ARCHIVE_OK ? 0 : archive_failed(t, archive_entry_pathname(e));

	archive_entry_free(e);
	return r;
}

static int
write_directory(struct tree_tar *t, const char *path)
{
	return write_header(t, entry_new(t, path, AE_IFDIR, 0755));
}

static int
copy_stream(struct tree_tar *t, int fd, size_t size, const char *path)
{
	char *chunk = fl_xmalloc(CHUNK);
	size_t left = size;
	int r = 0;

	while (r == 0 && left > 0) {
		ssize_t n = read(fd, chunk, left < CHUNK ? left : CHUNK);

		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			r = fl_err_set(t->err, FL_ERR_SYSTEM, "git gave only %zu of %zu bytes of %s", size - left, size, path);
		else if (archive_write_data(t->out, chunk, (size_t)n) != n)
			r = archive_failed(t, path);
		else
			left -= (size_t)n;
	}
	free(chunk);
	return r;
}

/* libgit2 can only load a packed blob whole; git itself streams it. */
static int
write_large_blob(struct tree_tar *t, const git_oid *oid, size_t size, const char *path)
{
	char hex[GIT_OID_HEXSZ + 1];
	char *argv[] = { (char *)"git", (char *)"-c", (char *)"core.bigFileThreshold=8m", (char *)"cat-file", (char *)"blob", hex, NULL };
	posix_spawn_file_actions_t actions;
	int pipe_fd[2], r, status = 0;
	pid_t pid;

	git_oid_tostr(hex, sizeof(hex), oid);
	if (pipe2(pipe_fd, O_CLOEXEC) == -1)
		return fl_err_sys(t->err, "make a pipe");
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, pipe_fd[1], STDOUT_FILENO);
	errno = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(pipe_fd[1]);
	if (errno != 0) {
		close(pipe_fd[0]);
		return fl_err_sys(t->err, "run git cat-file");
	}
	r = copy_stream(t, pipe_fd[0], size, path);
	close(pipe_fd[0]);
	waitpid(pid, &status, 0);
	if (r == 0 && status != 0)
		r = fl_err_set(t->err, FL_ERR_SYSTEM, "git cat-file of %s failed", path);
	return r;
}

static int
write_small_blob(struct tree_tar *t, const git_oid *oid, const char *path)
{
	git_blob *blob = NULL;
	size_t size;
	int r = 0;

	if (git_blob_lookup(&blob, t->repo, oid) != 0)
		return git_failed(t->err, path);
	size = (size_t)git_blob_rawsize(blob);
	if (size > 0 && archive_write_data(t->out, git_blob_rawcontent(blob), size) != (la_ssize_t)size)
		r = archive_failed(t, path);
	git_blob_free(blob);
	return r;
}

static int
write_file(struct tree_tar *t, const git_tree_entry *entry, const char *path)
{
	const git_oid *oid = git_tree_entry_id(entry);
	bool executable = git_tree_entry_filemode(entry) == GIT_FILEMODE_BLOB_EXECUTABLE;
	struct archive_entry *e = entry_new(t, path, AE_IFREG, executable ? 0755 : 0644);
	git_object_t type;
	size_t size;

	if (git_odb_read_header(&size, &type, t->odb, oid) != 0) {
		archive_entry_free(e);
		return git_failed(t->err, path);
	}
	archive_entry_set_size(e, (la_int64_t)size);
	if (write_header(t, e) == -1)
		return -1;
	return size > STREAM_FROM ? write_large_blob(t, oid, size, path) : write_small_blob(t, oid, path);
}

static int
write_symlink(struct tree_tar *t, const git_tree_entry *entry, const char *path)
{
	struct archive_entry *e;
	git_blob *blob = NULL;
	char *target;
	int r;

	if (git_blob_lookup(&blob, t->repo, git_tree_entry_id(entry)) != 0)
		return git_failed(t->err, path);
	if (git_blob_rawsize(blob) > SYMLINK_MAX_LEN) {
		git_blob_free(blob);
		return fl_err_set(t->err, FL_ERR_INVALID, "the target of the symbolic link %s is too long", path);
	}
	target = fl_xstrndup(git_blob_rawcontent(blob), (size_t)git_blob_rawsize(blob));
	e = entry_new(t, path, AE_IFLNK, 0777);
	archive_entry_set_symlink(e, target);
	r = write_header(t, e);
	free(target);
	git_blob_free(blob);
	return r;
}

/* The pusher reads this: nothing else would tell him what the app lacks. */
static int
write_submodule(struct tree_tar *t, const char *path)
{
	dprintf(STDERR_FILENO, " !     The submodule %s is no part of a push: its folder is empty. Commit its files, or fetch them when the app is built.\n",
	    path);
	return write_directory(t, path);
}

/* Called by libgit2 for each entry, directories before what is in them. */
static int
on_entry(const char *root, const git_tree_entry *entry, void *arg)
{
	struct tree_tar *t = arg;
	char *path = fl_xasprintf("%s%s", root, git_tree_entry_name(entry));
	int r = 0;

	switch (git_tree_entry_filemode(entry)) {
	case GIT_FILEMODE_TREE:
		r = write_directory(t, path);
		break;
	case GIT_FILEMODE_COMMIT:
		r = write_submodule(t, path);
		break;
	case GIT_FILEMODE_BLOB:
	case GIT_FILEMODE_BLOB_EXECUTABLE:
		r = write_file(t, entry, path);
		break;
	case GIT_FILEMODE_LINK:
		r = write_symlink(t, entry, path);
		break;
	case GIT_FILEMODE_UNREADABLE:
		break;
	}
	free(path);
	return r;
}

/* The hook's repository, with the pushed objects, which git keeps apart until the hook has agreed. */
static int
open_repository(struct tree_tar *t)
{
	const char *quarantine = getenv("GIT_QUARANTINE_PATH");

	git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0);
	if (git_repository_open(&t->repo, ".") != 0 || git_repository_odb(&t->odb, t->repo) != 0)
		return git_failed(t->err, "open the repository");
	if (quarantine != NULL && git_odb_add_disk_alternate(t->odb, quarantine) != 0)
		return git_failed(t->err, "open the pushed objects");
	return 0;
}

static int
write_tree(struct tree_tar *t, const char *commit_hex)
{
	git_commit *commit = NULL;
	git_tree *tree = NULL;
	git_oid oid;
	int r = 0;

	if (git_oid_fromstr(&oid, commit_hex) != 0 || git_commit_lookup(&commit, t->repo, &oid) != 0 ||
	    git_commit_tree(&tree, commit) != 0) {
		r = git_failed(t->err, "read the pushed commit");
	} else {
		t->mtime = git_commit_time(commit);
		if (git_tree_walk(tree, GIT_TREEWALK_PRE, on_entry, t) != 0)
			r = t->err->kind != FL_ERR_NONE ? -1 : git_failed(t->err, "read the pushed tree");
	}
	git_tree_free(tree);
	git_commit_free(commit);
	return r;
}

int
tree_tar_write(const char *commit, int fd, struct fl_err *err)
{
	struct fl_err why = { 0 };
	struct tree_tar t = { .out = archive_write_new(), .err = &why };
	int r = -1;

	git_libgit2_init();
	archive_write_set_format_pax_restricted(t.out);
	/* Names are bytes to git, whatever the locale makes of them. */
	archive_write_set_format_option(t.out, NULL, "hdrcharset", "BINARY");
	archive_write_set_bytes_per_block(t.out, CHUNK);
	archive_write_set_bytes_in_last_block(t.out, 1);
	if (open_repository(&t) == -1)
		goto out;
	if (archive_write_open_fd(t.out, fd) != ARCHIVE_OK) {
		archive_failed(&t, "the tree");
		goto out;
	}
	r = write_tree(&t, commit);
	if (archive_write_close(t.out) != ARCHIVE_OK && r == 0)
		r = archive_failed(&t, "the end");
out:
	archive_write_free(t.out);
	git_odb_free(t.odb);
	git_repository_free(t.repo);
	git_libgit2_shutdown();
	if (r == -1 && err != NULL)
		*err = why;
	return r;
}

pid_t
tree_tar_start(const char *commit, int *fd, struct fl_err *err)
{
	struct fl_err why = { 0 };
	int pipe_fd[2];
	pid_t pid;

	if (pipe2(pipe_fd, O_CLOEXEC) == -1)
		return fl_err_sys(err, "make a pipe");
	if ((pid = fork()) == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0); /* it holds the builder's connection, too */
		close(pipe_fd[0]);
		if (tree_tar_write(commit, pipe_fd[1], &why) == 0)
			_exit(0);
		dprintf(STDERR_FILENO, "%s\n", why.msg);
		_exit(1);
	}
	close(pipe_fd[1]);
	if (pid == -1) {
		close(pipe_fd[0]);
		return fl_err_sys(err, "start the reader of the tree");
	}
	*fd = pipe_fd[0];
	return pid;
}
