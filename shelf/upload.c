/*
 * upload - a blob on its way in: written beside, hashed as it comes, synced, then renamed into place.
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "libflynn/base64.h"
#include "libflynn/clock.h"
#include "libflynn/err.h"
#include "libflynn/random.h"
#include "libflynn/xmalloc.h"
#include "shelf/blob.h"
#include "shelf/store_private.h"

enum {
	NAME_TRIES = 8,
	PLACE_TRIES = 3,
	/* So much is handed to the disk at a time while more comes, so that the sync at the end has little left to wait for. */
	WRITE_BACK_BYTES = 8 << 20,
};

struct upload {
	struct store *store;
	char *path, *file; /* file: under blobs */
	char *name;	   /* under tmp; NULL: none */
	int fd;
	EVP_MD_CTX *hash;
	struct blob blob;
	int64_t written_back;
};

static void
upload_free(struct upload *u)
{
	if (u->fd != -1)
		close(u->fd);
	EVP_MD_CTX_free(u->hash);
	free(u->path);
	free(u->file);
	free(u->name);
	free(u);
}

void
upload_abort(struct upload *u)
{
	if (u == NULL)
		return;
	if (u->name != NULL)
		unlinkat(u->store->tmp_fd, u->name, 0);
	upload_free(u);
}

static int
check_length(const struct store *s, int64_t length, struct fl_err *err)
{
	struct statvfs fs;
	uint64_t available;

	if (s->max_bytes > 0 && length > s->max_bytes)
		return fl_err_set(err, FL_ERR_TOO_BIG, "a blob may have at most %lld bytes", (long long)s->max_bytes);
	if (length < 0 || fstatvfs(s->tmp_fd, &fs) == -1)
		return 0;
	available = (uint64_t)fs.f_bavail * fs.f_frsize;
	if ((uint64_t)length + BLOB_HEAD_LEN > available)
		return fl_err_set(err, FL_ERR_NO_SPACE, "the disk is full: the blob has %lld bytes, and only %llu are free; make room on the disk of shelf's volume",
		    (long long)length, (unsigned long long)available);
	return 0;
}

/*
 * A new file under tmp, locked. Another shelf that starts just now may take it for abandoned before the lock is on it;
 * then the lock fails or the file has no name any more, and the next is tried.
 */
static int
open_tmp(struct upload *u, struct fl_err *err)
{
	struct stat st;

	for (int i = 0; i < NAME_TRIES; i++) {
		u->name = fl_random_hex(16);
		u->fd = openat(u->store->tmp_fd, u->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (u->fd == -1) {
			free(u->name);
			u->name = NULL;
			return fl_err_sys(err, "create a file for the blob");
		}
		if (flock(u->fd, LOCK_EX | LOCK_NB) == 0 && fstat(u->fd, &st) == 0 && st.st_nlink == 1)
			return 0;
		close(u->fd);
		free(u->name);
		u->fd = -1;
		u->name = NULL;
	}
	return fl_err_set(err, FL_ERR_SYSTEM, "cannot lock a file for the blob");
}

struct upload *
upload_start(struct store *s, const char *path, const char *type, int64_t length, struct fl_err *err)
{
	struct upload *u = fl_xcalloc(1, sizeof(*u));

	*u = (struct upload){ .store = s, .fd = -1, .path = fl_xstrdup(path) };
	if ((u->file = blob_file(path, err)) == NULL)
		goto failed;
	if (strlen(type) > BLOB_TYPE_MAX) {
		fl_err_set(err, FL_ERR_INVALID, "the content type is longer than %d bytes", BLOB_TYPE_MAX);
		goto failed;
	}
	memcpy(u->blob.type, type, strlen(type) + 1);
	if (check_length(s, length, err) == -1 || open_tmp(u, err) == -1)
		goto failed;
	u->hash = EVP_MD_CTX_new();
	if (u->hash == NULL || EVP_DigestInit_ex(u->hash, EVP_sha256(), NULL) != 1) {
		fl_err_set(err, FL_ERR_SYSTEM, "cannot hash with SHA-256");
		goto failed;
	}
	return u;
failed:
	upload_abort(u);
	return NULL;
}

static int
write_at(struct upload *u, const char *data, size_t len, int64_t offset, struct fl_err *err)
{
	while (len > 0) {
		ssize_t n = pwrite(u->fd, data, len, offset);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return fl_err_sys(err, "write %s", u->path);
		data += n;
		len -= (size_t)n;
		offset += n;
	}
	return 0;
}

int
upload_write(struct upload *u, const void *data, size_t len, struct fl_err *err)
{
	if (u->store->max_bytes > 0 && (int64_t)len > u->store->max_bytes - u->blob.size)
		return fl_err_set(err, FL_ERR_TOO_BIG, "a blob may have at most %lld bytes", (long long)u->store->max_bytes);
	if (write_at(u, data, len, BLOB_HEAD_LEN + u->blob.size, err) == -1)
		return -1;
	if (EVP_DigestUpdate(u->hash, data, len) != 1)
		return fl_err_set(err, FL_ERR_SYSTEM, "cannot hash with SHA-256");
	u->blob.size += (int64_t)len;
	if (u->blob.size - u->written_back >= WRITE_BACK_BYTES) {
		sync_file_range(u->fd, BLOB_HEAD_LEN + u->written_back, WRITE_BACK_BYTES, SYNC_FILE_RANGE_WRITE);
		u->written_back += WRITE_BACK_BYTES;
	}
	return 0;
}

/* What can fail for want of space fails here, before anything is in place. */
static int
finish_file(struct upload *u, struct fl_err *err)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	char head[BLOB_HEAD_LEN], *hex;
	unsigned digest_len = 0;

	if (EVP_DigestFinal_ex(u->hash, digest, &digest_len) != 1)
		return fl_err_set(err, FL_ERR_SYSTEM, "cannot hash with SHA-256");
	hex = fl_hex_encode(digest, digest_len);
	memcpy(u->blob.hash, hex, sizeof(u->blob.hash));
	free(hex);
	u->blob.modified_s = fl_clock_wall_us() / 1000000;
	blob_head_write(&u->blob, u->path, head);
	if (write_at(u, head, sizeof(head), 0, err) == -1)
		return -1;
	if (fsync(u->fd) == -1)
		return fl_err_sys(err, "sync %s", u->path);
	return 0;
}

/* Opens the folder that the file goes into; those that are missing are made, each on disk before the next. */
static int
open_folder(int blobs_fd, const char *file)
{
	int fd = openat(blobs_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (const char *slash; fd != -1 && (slash = strchr(file, '/')) != NULL; file = slash + 1) {
		char *name = fl_xstrndup(file, (size_t)(slash - file));
		int below, saved;

		below = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (below == -1 && errno == ENOENT && (mkdirat(fd, name, 0700) == 0 || errno == EEXIST) && fsync(fd) == 0)
			below = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		saved = errno;
		free(name);
		close(fd);
		errno = saved;
		fd = below;
	}
	return fd;
}

/* Renames the file to where it belongs. 1: the folder went meanwhile. */
static int
rename_into_place(struct upload *u, struct fl_err *err)
{
	const char *slash = strrchr(u->file, '/'), *name = slash != NULL ? slash + 1 : u->file;
	int folder = open_folder(u->store->blobs_fd, u->file), rc = -1;

	if (folder == -1 || renameat(u->store->tmp_fd, u->name, folder, name) == -1) {
		rc = errno == ENOENT ? 1 : fl_err_sys(err, "put %s in place", u->path);
		goto out;
	}
	free(u->name);
	u->name = NULL;
	rc = fsync(folder) == 0 ? 0 : fl_err_sys(err, "sync the folder of %s", u->path);
out:
	if (folder != -1)
		close(folder);
	return rc;
}

/* Another shelf may remove a folder as empty between our making it and our renaming into it: then again. */
static int
put_in_place(struct upload *u, struct fl_err *err)
{
	int rc = 1;

	for (int i = 0; i < PLACE_TRIES && rc == 1; i++)
		rc = rename_into_place(u, err);
	if (rc == 1)
		rc = fl_err_set(err, FL_ERR_SYSTEM, "put %s in place: its folder is removed again and again", u->path);
	return rc;
}

int
upload_commit(struct upload *u, struct blob *out, struct fl_err *err)
{
	int rc = -1;

	if (finish_file(u, err) == 0 && put_in_place(u, err) == 0) {
		*out = u->blob;
		rc = 0;
	}
	upload_abort(u); /* of what is in place it removes nothing */
	return rc;
}
