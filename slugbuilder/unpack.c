/* unpack - a tar from somewhere into a directory, safely. */
#include "slugbuilder/unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libflynn/attr.h"
#include "libflynn/err.h"
#include "libflynn/xmalloc.h"

#define BLOCK_BYTES (256u << 10)
#define TAR_BLOCK_BYTES 512

/* Modes lose what umask takes and set-id bits, because EXTRACT_PERM is not asked for. */
#define EXTRACT_FLAGS                                                                       \
	(ARCHIVE_EXTRACT_TIME | ARCHIVE_EXTRACT_SECURE_SYMLINKS | ARCHIVE_EXTRACT_SECURE_NODOTDOT | \
	    ARCHIVE_EXTRACT_SECURE_NOABSOLUTEPATHS)

struct unpacking {
	unpack_read_cb read;
	void *arg;
	struct archive *in, *out;
	int64_t bytes, entries;
	size_t zeros; /* at the end of what was read */
	const struct unpack_limits *limits;
	struct fl_err read_err; /* what the source said, which is more than libarchive can say */
};

/* Read on, and keep count of the zeros at the end. */
static ssize_t
read_block(struct unpacking *u, const void **block, struct fl_err *err)
{
	ssize_t n = u->read(u->arg, block, err), zeros = 0;

	while (zeros < n && zeros < TAR_BLOCK_BYTES && ((const char *)*block)[n - 1 - zeros] == '\0')
		zeros++;
	u->zeros = zeros == n ? u->zeros + zeros : (size_t)zeros;
	return n;
}

static la_ssize_t
on_read(FL_UNUSED struct archive *a, void *arg, const void **block)
{
	struct unpacking *u = arg;

	return read_block(u, block, &u->read_err);
}

static int
fail(struct unpacking *u, struct archive *a, const char *path, struct fl_err *err)
{
	const char *why = archive_error_string(a);

	if (u->read_err.kind != FL_ERR_NONE) {
		*err = u->read_err;
		return -1;
	}
	if (a == u->out)
		return fl_err_set(err, archive_errno(a) == ENOSPC ? FL_ERR_NO_SPACE : FL_ERR_INVALID,
		    "cannot unpack %.200s: %s", path, why != NULL ? why : "unknown reason");
	return fl_err_set(err, FL_ERR_INVALID, "the archive is damaged: %s", why != NULL ? why : "unknown reason");
}

/* Does path leave the directory it is unpacked in? */
static bool
escapes(const char *path)
{
	if (*path == '/')
		return true;
	for (const char *s = path; s != NULL; s = strchr(s, '/')) {
		s += *s == '/';
		if (strncmp(s, "..", 2) == 0 && (s[2] == '/' || s[2] == '\0'))
			return true;
	}
	return false;
}

static int
check_entry(struct unpacking *u, struct archive_entry *e, struct fl_err *err)
{
	const char *path = archive_entry_pathname(e), *link = archive_entry_hardlink(e);

	if (path == NULL || *path == '\0')
		return fl_err_set(err, FL_ERR_INVALID, "the archive has an entry without a name");
	if (escapes(path))
		return fl_err_set(err, FL_ERR_INVALID, "the archive has an entry outside of it: \"%.200s\"", path);
	if (link != NULL && escapes(link))
		return fl_err_set(err, FL_ERR_INVALID, "the archive links \"%.200s\" to a file outside of it", path);
	if (++u->entries > u->limits->entries)
		return fl_err_set(err, FL_ERR_TOO_BIG, "the archive has more than %lld files",
		    (long long)u->limits->entries);
	return 0;
}

static int
copy_data(struct unpacking *u, const char *path, struct fl_err *err)
{
	const void *block = NULL;
	la_int64_t offset = 0;
	size_t len = 0;
	int rc;

	while ((rc = archive_read_data_block(u->in, &block, &len, &offset)) == ARCHIVE_OK) {
		u->bytes += (int64_t)len;
		if (u->bytes > u->limits->bytes)
			return fl_err_set(err, FL_ERR_TOO_BIG, "the archive holds more than %lld MB",
			    (long long)(u->limits->bytes >> 20));
		if (archive_write_data_block(u->out, block, len, offset) < ARCHIVE_WARN)
			return fail(u, u->out, path, err);
	}
	return rc == ARCHIVE_EOF ? 0 : fail(u, u->in, path, err);
}

static bool
is_excepted(const char *const *except, const char *path)
{
	path += strncmp(path, "./", 2) == 0 ? 2 : 0;
	for (; except != NULL && *except != NULL; except++) {
		size_t len = strlen(*except);

		if (strncmp(path, *except, len) == 0 && (path[len] == '/' || path[len] == '\0'))
			return true;
	}
	return false;
}

static bool
is_wanted(const struct unpacking *u, struct archive_entry *e)
{
	mode_t type = archive_entry_filetype(e);

	if (is_excepted(u->limits->except, archive_entry_pathname(e)))
		return false;
	return archive_entry_hardlink(e) != NULL || type == AE_IFREG || type == AE_IFDIR || type == AE_IFLNK;
}

static int
unpack_entry(struct unpacking *u, struct archive_entry *e, struct fl_err *err)
{
	const char *path = archive_entry_pathname(e);

	if (check_entry(u, e, err) == -1)
		return -1;
	if (!is_wanted(u, e))
		return 0;
	if (archive_write_header(u->out, e) < ARCHIVE_WARN)
		return fail(u, u->out, path, err);
	if (archive_entry_size(e) > 0 && copy_data(u, path, err) == -1)
		return -1;
	if (archive_write_finish_entry(u->out) < ARCHIVE_WARN)
		return fail(u, u->out, path, err);
	return 0;
}

/*
 * A tar ends before its file does; what follows shows whether the whole of it came. One that is cut
 * between two entries looks whole to libarchive, but lacks the block of zeros at its end; a cut
 * compressed one is noticed by its filter.
 */
static int
drain(struct unpacking *u, struct fl_err *err)
{
	const void *block = NULL;
	ssize_t n;

	while ((n = read_block(u, &block, err)) > 0)
		;
	if (n == 0 && archive_filter_code(u->in, 0) == ARCHIVE_FILTER_NONE && u->entries > 0 && u->zeros < TAR_BLOCK_BYTES)
		return fl_err_set(err, FL_ERR_INVALID, "the archive is damaged: its end is missing");
	return n == 0 ? 0 : -1;
}

static int
unpack_all(struct unpacking *u, struct fl_err *err)
{
	struct archive_entry *e = NULL;
	int rc;

	if (archive_read_open(u->in, u, NULL, on_read, NULL) != ARCHIVE_OK)
		return fail(u, u->in, "", err);
	while ((rc = archive_read_next_header(u->in, &e)) == ARCHIVE_OK || rc == ARCHIVE_WARN)
		if (unpack_entry(u, e, err) == -1)
			return -1;
	if (rc != ARCHIVE_EOF)
		return fail(u, u->in, "", err);
	if (archive_write_close(u->out) < ARCHIVE_WARN) /* the times of directories */
		return fail(u, u->out, "the directories", err);
	return drain(u, err);
}

int64_t
unpack(unpack_read_cb read, void *arg, const char *dir, const struct unpack_limits *limits, struct fl_err *err)
{
	struct unpacking u = { .read = read, .arg = arg, .limits = limits };
	struct fl_err ignored;
	int here = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = -1;

	if (err == NULL)
		err = &ignored;
	u.in = archive_read_new();
	u.out = archive_write_disk_new();
	archive_read_support_format_tar(u.in);
	archive_read_support_format_empty(u.in);
	archive_read_support_filter_gzip(u.in);
	archive_read_support_filter_zstd(u.in);
	archive_write_disk_set_options(u.out, EXTRACT_FLAGS);
	if (here == -1 || chdir(dir) == -1)
		fl_err_sys(err, "unpack in %s", dir);
	else
		rc = unpack_all(&u, err);
	archive_write_free(u.out);
	archive_read_free(u.in);
	if (here != -1) {
		if (fchdir(here) == -1 && rc == 0)
			rc = fl_err_sys(err, "come back from %s", dir);
		close(here);
	}
	return rc == 0 ? u.entries : -1;
}

struct fd_source {
	int fd;
	char *block;
};

static ssize_t
read_fd(void *arg, const void **block, struct fl_err *err)
{
	struct fd_source *s = arg;
	ssize_t n;

	while ((n = read(s->fd, s->block, BLOCK_BYTES)) == -1 && errno == EINTR)
		;
	if (n == -1)
		return fl_err_sys(err, "read the archive");
	*block = s->block;
	return n;
}

int64_t
unpack_fd(int fd, const char *dir, const struct unpack_limits *limits, struct fl_err *err)
{
	struct fd_source s = { .fd = fd, .block = fl_xmalloc(BLOCK_BYTES) };
	int64_t entries = unpack(read_fd, &s, dir, limits, err);

	free(s.block);
	return entries;
}
