/* cache - what an app's build keeps for its next one. */
#include "slugbuilder/cache.h"

#include <sys/stat.h>
#include <unistd.h>

#include "libflynn/err.h"
#include "slugbuilder/download.h"
#include "slugbuilder/output.h"
#include "slugbuilder/pack.h"
#include "slugbuilder/slug.h"
#include "slugbuilder/tree.h"
#include "slugbuilder/unpack.h"
#include "slugbuilder/upload.h"
#include "slugbuilder/user.h"

static const struct unpack_limits limits = { .bytes = INT64_C(8) << 30, .entries = 1000000 };

/* Packed; beyond this fetching it costs more than it saves. */
#define STORE_MAX_BYTES (INT64_C(1) << 30)

static int
fetch(const struct cache *c, struct fl_err *err)
{
	struct download *d = download_new(c->get_url, err);
	int64_t entries;

	if (d == NULL)
		return -1;
	user_enter(c->user);
	entries = unpack(download_read, d, c->dir, &limits, err);
	user_leave();
	download_free(d);
	return entries == -1 ? -1 : 0;
}

void
cache_restore(struct cache *c)
{
	struct fl_err err = { 0 };

	if (tree_make(c->dir, c->user, &err) == -1) {
		output_problem(c->out, "The build goes without a cache: %s", err.msg);
		return;
	}
	if (c->get_url == NULL)
		return;
	if (fetch(c, &err) == -1) {
		if (err.kind != FL_ERR_NOT_FOUND)
			output_problem(c->out, "The build goes without its cache: %s", err.msg);
		tree_clear(c->dir, c->user);
		return;
	}
	c->fingerprint = pack_fingerprint(c->dir);
}

void
cache_store(const struct cache *c)
{
	struct fl_err err = { 0 };
	uint64_t now = pack_fingerprint(c->dir);
	int64_t size;
	int fd;

	if (c->put_url == NULL || now == 0 || now == c->fingerprint)
		return;
	if ((size = slug_pack(c->dir, NULL, c->work_dir, c->user, &fd, &err)) == -1) {
		output_problem(c->out, "The cache is not kept: %s", err.msg);
		return;
	}
	if (size > STORE_MAX_BYTES)
		output_problem(c->out, "The cache is not kept: it has %lld MB, more than %lld",
		    (long long)(size >> 20), (long long)(STORE_MAX_BYTES >> 20));
	else if (upload(c->put_url, fd, size, PACK_MEDIA_TYPE, &err) == -1)
		output_problem(c->out, "The cache is not kept: %s", err.msg);
	close(fd);
}
