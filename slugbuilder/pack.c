/* pack - a directory as a tar in zstd. */
#include "slugbuilder/pack.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libflynn/err.h"
#include "libflynn/xmalloc.h"
#include "slugbuilder/ignore.h"

#define BLOCK_BYTES (256u << 10)

/* A slug is packed and unpacked more often than it is kept: speed before size. */
#define ZSTD_LEVEL "1"
#define ZSTD_THREADS "2"

struct packing {
	struct archive *out;
	struct archive_entry_linkresolver *links;
	const struct ignore *ignore;
	char *block;
	size_t dir_len;
};

static int
by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

static FTS *
walk_open(const char *dir)
{
	char *copy = fl_xstrdup(dir), *paths[] = { copy, NULL };
	FTS *walk = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, by_name);

	free(copy);
	return walk;
}

static int
fail(struct packing *p, const char *path, struct fl_err *err)
{
	const char *why = archive_error_string(p->out);

	return fl_err_set(err, archive_errno(p->out) == ENOSPC ? FL_ERR_NO_SPACE : FL_ERR_SYSTEM,
	    "cannot pack %.200s: %s", path, why != NULL ? why : "unknown reason");
}

static int
pack_data(struct packing *p, const FTSENT *f, struct fl_err *err)
{
	int fd = open(f->fts_accpath, O_RDONLY | O_NOFOLLOW | O_CLOEXEC), rc = -1;
	ssize_t n;

	if (fd == -1)
		return fl_err_sys(err, "pack %.200s", f->fts_path + p->dir_len);
	while ((n = read(fd, p->block, BLOCK_BYTES)) > 0)
		if (archive_write_data(p->out, p->block, n) < 0)
			break;
	if (n > 0)
		fail(p, f->fts_path + p->dir_len, err);
	else if (n == -1)
		fl_err_sys(err, "read %.200s", f->fts_path + p->dir_len);
	else
		rc = 0;
	close(fd);
	return rc;
}

static int
describe(struct archive_entry *e, const FTSENT *f, const char *path, struct fl_err *err)
{
	char target[4096];
	ssize_t n;

	archive_entry_copy_pathname(e, path);
	archive_entry_copy_stat(e, f->fts_statp);
	archive_entry_set_uid(e, 0);
	archive_entry_set_gid(e, 0);
	if (!S_ISLNK(f->fts_statp->st_mode))
		return 0;
	if ((n = readlink(f->fts_accpath, target, sizeof(target) - 1)) == -1)
		return fl_err_sys(err, "read the link %.200s", path);
	target[n] = '\0';
	archive_entry_copy_symlink(e, target);
	return 0;
}

static int
pack_file(struct packing *p, const FTSENT *f, struct fl_err *err)
{
	const char *path = f->fts_path + p->dir_len + 1;
	struct archive_entry *e = archive_entry_new(), *sparse = NULL;
	int rc = -1;

	if (describe(e, f, path, err) == -1)
		goto out;
	archive_entry_linkify(p->links, &e, &sparse); /* tar: never keeps an entry back */
	if (archive_write_header(p->out, e) < ARCHIVE_WARN)
		fail(p, path, err);
	else if (S_ISREG(f->fts_statp->st_mode) && archive_entry_hardlink(e) == NULL)
		rc = pack_data(p, f, err);
	else
		rc = 0;
out:
	archive_entry_free(e);
	return rc;
}

static int
pack_tree(struct packing *p, FTS *walk, struct fl_err *err)
{
	FTSENT *f;

	for (errno = 0; (f = fts_read(walk)) != NULL; errno = 0) {
		if (f->fts_info == FTS_ERR || f->fts_info == FTS_DNR || f->fts_info == FTS_NS) {
			errno = f->fts_errno;
			return fl_err_sys(err, "pack %.200s", f->fts_path);
		}
		if (f->fts_level == FTS_ROOTLEVEL || f->fts_info == FTS_DP)
			continue;
		if (p->ignore != NULL && ignore_matches(p->ignore, f->fts_path + p->dir_len + 1, f->fts_info == FTS_D))
			fts_set(walk, f, FTS_SKIP);
		else if (f->fts_info != FTS_DEFAULT && pack_file(p, f, err) == -1) /* DEFAULT: a socket or the like */
			return -1;
	}
	return errno == 0 ? 0 : fl_err_sys(err, "read the directories to pack");
}

static int
open_archive(struct packing *p, int fd, struct fl_err *err)
{
	archive_write_set_format_pax_restricted(p->out);
	archive_entry_linkresolver_set_strategy(p->links, archive_format(p->out));
	archive_write_add_filter_zstd(p->out);
	archive_write_set_filter_option(p->out, "zstd", "compression-level", ZSTD_LEVEL);
	archive_write_set_filter_option(p->out, "zstd", "threads", ZSTD_THREADS); /* or one, if zstd cannot */
	archive_write_set_bytes_per_block(p->out, BLOCK_BYTES);
	archive_write_set_bytes_in_last_block(p->out, 1);
	return archive_write_open_fd(p->out, fd) == ARCHIVE_OK ? 0 : fail(p, "anything", err);
}

int64_t
pack(const char *dir, const struct ignore *ignore, int fd, struct fl_err *err)
{
	struct packing p = { .ignore = ignore, .dir_len = strlen(dir), .block = fl_xmalloc(BLOCK_BYTES) };
	FTS *walk = walk_open(dir);
	int64_t size = -1;

	p.out = archive_write_new();
	p.links = archive_entry_linkresolver_new();
	if (walk == NULL) {
		fl_err_sys(err, "pack %s", dir);
		goto out;
	}
	if (open_archive(&p, fd, err) == -1 || pack_tree(&p, walk, err) == -1)
		goto out;
	if (archive_write_close(p.out) != ARCHIVE_OK) {
		fail(&p, "the last of it", err);
		goto out;
	}
	size = archive_filter_bytes(p.out, -1);
out:
	if (walk != NULL)
		fts_close(walk);
	archive_entry_linkresolver_free(p.links);
	archive_write_free(p.out);
	free(p.block);
	return size;
}

/* FNV-1a: nobody gains by a collision, who wants a cache stored can just change it. */
static uint64_t
hash_add(uint64_t hash, const void *data, size_t len)
{
	const unsigned char *p = data;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ p[i]) * UINT64_C(0x100000001b3);
	return hash;
}

uint64_t
pack_fingerprint(const char *dir)
{
	FTS *walk = walk_open(dir);
	uint64_t hash = UINT64_C(0xcbf29ce484222325);
	size_t files = 0;
	FTSENT *f;

	while (walk != NULL && (f = fts_read(walk)) != NULL) {
		const struct stat *st = f->fts_statp;

		if (f->fts_info == FTS_D || f->fts_info == FTS_DP) /* their times change with their files */
			continue;
		files++;
		hash = hash_add(hash, f->fts_path, f->fts_pathlen + 1);
		if (f->fts_info == FTS_NS)
			continue;
		hash = hash_add(hash, &st->st_size, sizeof(st->st_size));
		hash = hash_add(hash, &st->st_mode, sizeof(st->st_mode));
		hash = hash_add(hash, &st->st_mtim, sizeof(st->st_mtim));
	}
	if (walk != NULL)
		fts_close(walk);
	return files > 0 ? hash : 0;
}
