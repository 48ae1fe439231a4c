#include "shelf/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libflynn/err.h"
#include "libflynn/log.h"
#include "libflynn/xmalloc.h"
#include "shelf/blob.h"
#include "shelf/store_private.h"

/* Opens a folder under dir_fd, made if it is not there. */
static int
folder_open(int dir_fd, const char *name, struct fl_err *err)
{
	int fd = -1;

	if ((mkdirat(dir_fd, name, 0700) == -1 && errno != EEXIST) ||
	    (fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1)
		fl_err_sys(err, "folder %s", name);
	return fd;
}

/* Calls cb for each entry of a folder but "." and "..". */
static int
each_entry(int dir_fd, const char *folder, int (*cb)(int fd, const char *name, void *arg), void *arg, struct fl_err *err)
{
	int fd = openat(dir_fd, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;
	const struct dirent *entry;
	DIR *dir;

	if (fd == -1 || (dir = fdopendir(fd)) == NULL) {
		fl_err_sys(err, "read folder %s", folder);
		if (fd != -1)
			close(fd);
		return -1;
	}
	while (rc == 0 && (errno = 0, entry = readdir(dir)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			rc = cb(fd, entry->d_name, arg);
	if (rc == 0 && errno != 0)
		rc = fl_err_sys(err, "read folder %s", folder);
	closedir(dir);
	return rc;
}

/* Removes an upload whose writer is dead: its lock died with it. Another shelf on this folder may be alive. */
static int
remove_abandoned(int dir_fd, const char *name, void *arg)
{
	int *removed = arg;
	int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);

	if (fd != -1 && flock(fd, LOCK_EX | LOCK_NB) == 0 && unlinkat(dir_fd, name, 0) == 0)
		++*removed;
	if (fd != -1)
		close(fd);
	return 0;
}

struct store *
store_open(const char *dir, int64_t max_bytes, struct fl_err *err)
{
	struct store *s = fl_xcalloc(1, sizeof(*s));
	int dir_fd, removed = 0, rc = -1;

	*s = (struct store){ .blobs_fd = -1, .tmp_fd = -1, .max_bytes = max_bytes };
	if ((dir_fd = folder_open(AT_FDCWD, dir, err)) == -1 || (s->blobs_fd = folder_open(dir_fd, "blobs", err)) == -1 ||
	    (s->tmp_fd = folder_open(dir_fd, "tmp", err)) == -1)
		goto out;
	if (fsync(dir_fd) == -1) {
		fl_err_sys(err, "sync folder %s", dir);
		goto out;
	}
	rc = each_entry(s->tmp_fd, ".", remove_abandoned, &removed, err);
	if (removed > 0)
		fl_log_info("removed uploads that a crash had left", fl_int("files", removed));
out:
	if (dir_fd != -1)
		close(dir_fd);
	if (rc == -1) {
		fl_err_wrap(err, "store in %s", dir);
		store_close(s);
		s = NULL;
	}
	return s;
}

void
store_close(struct store *s)
{
	if (s == NULL)
		return;
	if (s->blobs_fd != -1)
		close(s->blobs_fd);
	if (s->tmp_fd != -1)
		close(s->tmp_fd);
	free(s);
}

static int
not_found(const char *path, struct fl_err *err)
{
	return fl_err_set(err, FL_ERR_NOT_FOUND, "there is no blob at %s", path);
}

static int
head_read(int fd, struct blob *out, struct fl_err *err)
{
	char head[BLOB_HEAD_LEN];
	struct stat st;
	ssize_t len;

	if (fstat(fd, &st) == -1 || (len = pread(fd, head, sizeof(head), 0)) == -1)
		return fl_err_sys(err, "read the blob's file");
	if (len < (ssize_t)sizeof(head))
		memset(head + len, 0, sizeof(head) - (size_t)len);
	return blob_head_read(head, st.st_size, out, err);
}

int
store_get(struct store *s, const char *path, struct blob *out, struct fl_err *err)
{
	char *file = blob_file(path, err);
	int fd = -1;

	if (file == NULL)
		return -1;
	fd = openat(s->blobs_fd, file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1 && (errno == ENOENT || errno == ENOTDIR))
		not_found(path, err);
	else if (fd == -1)
		fl_err_sys(err, "open %s", path);
	else if (head_read(fd, out, err) == -1) {
		fl_err_wrap(err, "%s", path);
		close(fd);
		fd = -1;
	}
	free(file);
	return fd;
}

static int
folder_sync(int dir_fd, const char *folder, struct fl_err *err)
{
	int fd = openat(dir_fd, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;

	if (fd == -1 || fsync(fd) == -1)
		rc = fl_err_sys(err, "sync folder %s", folder);
	if (fd != -1)
		close(fd);
	return rc;
}

/* Cuts the last part off; "." when that leaves nothing. */
static const char *
parent_of(char *file)
{
	char *slash = strrchr(file, '/');

	if (slash == NULL)
		return ".";
	*slash = '\0';
	return file;
}

int
store_delete(struct store *s, const char *path, struct fl_err *err)
{
	char *file = blob_file(path, err);
	const char *folder;
	int rc = -1;

	if (file == NULL)
		return -1;
	if (unlinkat(s->blobs_fd, file, 0) == -1) {
		if (errno == ENOENT || errno == ENOTDIR)
			not_found(path, err);
		else
			fl_err_sys(err, "delete %s", path);
		goto out;
	}
	rc = folder_sync(s->blobs_fd, folder = parent_of(file), err);
	while (strcmp(folder, ".") != 0 && unlinkat(s->blobs_fd, folder, AT_REMOVEDIR) == 0)
		folder = parent_of(file); /* empty folders; their end need not be on disk */
out:
	free(file);
	return rc;
}

struct listing {
	void (*cb)(const char *name, void *arg);
	void *arg;
};

static int
list_entry(int dir_fd, const char *file, void *arg)
{
	const struct listing *l = arg;
	bool is_folder = false;
	char *part = blob_part(file, &is_folder), *name;

	(void)dir_fd;
	if (part == NULL)
		return 0;
	name = is_folder ? fl_xasprintf("%s/", part) : fl_xstrdup(part);
	l->cb(name, l->arg);
	free(name);
	free(part);
	return 0;
}

int
store_list(struct store *s, const char *path, void (*cb)(const char *name, void *arg), void *arg, struct fl_err *err)
{
	struct listing l = { cb, arg };
	struct fl_err why = { 0 };
	char *folder = blob_folder(path, err);
	int rc;

	if (folder == NULL)
		return -1;
	errno = 0;
	rc = each_entry(s->blobs_fd, *folder != '\0' ? folder : ".", list_entry, &l, &why);
	if (rc == -1 && (errno == ENOENT || errno == ENOTDIR))
		rc = 0;
	else if (rc == -1 && err != NULL)
		*err = why;
	free(folder);
	return rc;
}
