#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/xmalloc.h"
#include "shelf/blob.h"
#include "shelf/store.h"

/* SHA-256 of "hello". */
#define HELLO "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"

struct box {
	char dir[32];
	struct store *s;
};

static int
set_up(void **state)
{
	struct box *b = fl_xcalloc(1, sizeof(*b));

	strcpy(b->dir, "/tmp/store_test.XXXXXX");
	assert_non_null(mkdtemp(b->dir));
	b->s = store_open(b->dir, 0, NULL);
	assert_non_null(b->s);
	*state = b;
	return 0;
}

static int
remove_entry(const char *path, FL_UNUSED const struct stat *st, FL_UNUSED int type, FL_UNUSED struct FTW *where)
{
	return remove(path);
}

static int
tear_down(void **state)
{
	struct box *b = *state;
	int rc = nftw(b->dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);

	store_close(b->s);
	free(b);
	return rc;
}

/* How many files are in a folder of the store's, at any depth. nftw(3) has no argument for its callback. */
static int n_files;

static int
count_entry(FL_UNUSED const char *path, FL_UNUSED const struct stat *st, int type, FL_UNUSED struct FTW *where)
{
	n_files += type == FTW_F;
	return 0;
}

static int
count_files(const struct box *b, const char *folder)
{
	char *path = fl_xasprintf("%s/%s", b->dir, folder);

	n_files = 0;
	assert_int_equal(nftw(path, count_entry, 16, FTW_PHYS), 0);
	free(path);
	return n_files;
}

static void
put(struct box *b, const char *path, const char *content)
{
	struct fl_err err = { 0 };
	struct upload *u = upload_start(b->s, path, "text/plain", -1, &err);
	struct blob stored;

	assert_string_equal(err.msg, "");
	for (const char *p = content; *p != '\0'; p++) /* in pieces */
		assert_int_equal(upload_write(u, p, 1, &err), 0);
	assert_int_equal(upload_commit(u, &stored, &err), 0);
	assert_int_equal(stored.size, strlen(content));
}

static void
expect(struct box *b, const char *path, const char *content)
{
	struct blob blob;
	char got[64] = "";
	int fd = store_get(b->s, path, &blob, NULL);

	assert_true(fd >= 0);
	assert_int_equal(blob.size, strlen(content));
	assert_int_equal(pread(fd, got, sizeof(got), BLOB_HEAD_LEN), strlen(content));
	assert_string_equal(got, content);
	close(fd);
}

static void
expect_none(struct box *b, const char *path)
{
	struct fl_err err = { 0 };
	struct blob blob;

	assert_int_equal(store_get(b->s, path, &blob, &err), -1);
	assert_int_equal(err.kind, FL_ERR_NOT_FOUND);
}

static void
what_is_put_can_be_got(void **state)
{
	struct box *b = *state;
	struct blob blob;
	int fd;

	put(b, "/a/b", "hello");
	put(b, "/a", "x"); /* a blob where others have a folder */
	put(b, "/empty", "");
	expect(b, "/a/b", "hello");
	expect(b, "/a", "x");
	expect(b, "/empty", "");
	fd = store_get(b->s, "/a/b", &blob, NULL);
	assert_string_equal(blob.hash, HELLO);
	assert_string_equal(blob.type, "text/plain");
	close(fd);
	expect_none(b, "/b");
	expect_none(b, "/a/b/c");
}

static void
readers_see_the_old_or_the_new(void **state)
{
	struct box *b = *state;
	struct upload *u;
	struct blob blob;
	char got[16] = "";
	int fd;

	put(b, "/a", "old");
	u = upload_start(b->s, "/a", "", -1, NULL);
	assert_int_equal(upload_write(u, "newer", 5, NULL), 0);
	expect(b, "/a", "old");
	fd = store_get(b->s, "/a", &blob, NULL);
	assert_int_equal(upload_commit(u, &blob, NULL), 0);
	expect(b, "/a", "newer");
	assert_int_equal(pread(fd, got, sizeof(got), BLOB_HEAD_LEN), 3); /* who reads goes on with what he began */
	assert_string_equal(got, "old");
	close(fd);
}

static void
an_aborted_upload_leaves_nothing(void **state)
{
	struct box *b = *state;
	struct upload *u = upload_start(b->s, "/a", "", -1, NULL);

	upload_write(u, "x", 1, NULL);
	assert_int_equal(count_files(b, "tmp"), 1);
	upload_abort(u);
	assert_int_equal(count_files(b, "."), 0);
	expect_none(b, "/a");
}

static void
what_a_crash_left_is_removed_at_start(void **state)
{
	struct box *b = *state;
	struct upload *living = upload_start(b->s, "/a", "", -1, NULL);
	char *path = fl_xasprintf("%s/tmp/dead", b->dir);
	struct store *other;
	struct blob blob;
	int fd = open(path, O_CREAT | O_WRONLY, 0600);

	assert_true(fd >= 0);
	close(fd);
	other = store_open(b->dir, 0, NULL); /* while the first is at work */
	assert_non_null(other);
	assert_int_equal(count_files(b, "tmp"), 1);
	assert_int_equal(upload_commit(living, &blob, NULL), 0);
	expect(b, "/a", "");
	store_close(other);
	free(path);
}

static void
deleting_takes_the_empty_folders_along(void **state)
{
	struct box *b = *state;
	struct fl_err err = { 0 };
	struct stat st;
	char *folder = fl_xasprintf("%s/blobs/a,", b->dir);

	put(b, "/a/b/c", "x");
	put(b, "/a/d", "y");
	assert_int_equal(store_delete(b->s, "/a/b/c", NULL), 0);
	expect_none(b, "/a/b/c");
	expect(b, "/a/d", "y");
	assert_int_equal(store_delete(b->s, "/a/d", NULL), 0);
	assert_int_equal(stat(folder, &st), -1);
	assert_int_equal(store_delete(b->s, "/a/d", &err), -1);
	assert_int_equal(err.kind, FL_ERR_NOT_FOUND);
	free(folder);
}

static void
collect(const char *name, void *arg)
{
	fl_buf_addf(arg, "%s;", name);
}

static void
a_listing_has_what_is_right_there(void **state)
{
	struct box *b = *state;
	struct fl_buf got = { 0 };

	put(b, "/a/b", "x");
	assert_int_equal(store_list(b->s, "/", collect, &got, NULL), 0);
	assert_string_equal(fl_buf_cstr(&got), "a/;");
	fl_buf_clear(&got);
	assert_int_equal(store_list(b->s, "/a", collect, &got, NULL), 0);
	assert_string_equal(fl_buf_cstr(&got), "b;");
	fl_buf_clear(&got);
	assert_int_equal(store_list(b->s, "/nope/", collect, &got, NULL), 0);
	assert_string_equal(fl_buf_cstr(&got), "");
	assert_int_equal(store_list(b->s, "/..", collect, &got, NULL), -1);
	fl_buf_release(&got);
}

static void
what_cannot_fit_is_refused_at_once(void **state)
{
	struct box *b = *state;
	struct fl_err err = { 0 };

	assert_null(upload_start(b->s, "/a", "", INT64_MAX, &err));
	assert_int_equal(err.kind, FL_ERR_NO_SPACE);
	assert_int_equal(count_files(b, "tmp"), 0);
}

static void
the_largest_size_is_kept(void **state)
{
	struct box *b = *state;
	struct fl_err err = { 0 };
	struct store *s = store_open(b->dir, 4, NULL);
	struct upload *u;

	assert_null(upload_start(s, "/a", "", 5, &err));
	assert_int_equal(err.kind, FL_ERR_TOO_BIG);
	u = upload_start(s, "/a", "", -1, NULL);
	assert_int_equal(upload_write(u, "1234", 4, NULL), 0);
	err = (struct fl_err){ 0 };
	assert_int_equal(upload_write(u, "5", 1, &err), -1);
	assert_int_equal(err.kind, FL_ERR_TOO_BIG);
	upload_abort(u);
	store_close(s);
}

static void
a_failed_write_is_reported(void **state)
{
	struct box *b = *state;
	struct rlimit old, small;
	struct fl_err err = { 0 };
	struct upload *u = upload_start(b->s, "/a", "", -1, NULL);
	char data[4096] = { 0 };

	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	small = (struct rlimit){ BLOB_HEAD_LEN + 100, old.rlim_max };
	setrlimit(RLIMIT_FSIZE, &small);
	assert_int_equal(upload_write(u, data, sizeof(data), &err), -1);
	setrlimit(RLIMIT_FSIZE, &old);
	assert_int_equal(err.kind, FL_ERR_SYSTEM);
	upload_abort(u);
	assert_int_equal(count_files(b, "."), 0);
}

static void
a_damaged_file_is_not_served(void **state)
{
	struct box *b = *state;
	struct fl_err err = { 0 };
	struct blob blob;
	char *file = fl_xasprintf("%s/blobs/a", b->dir);

	put(b, "/a", "hello");
	assert_int_equal(truncate(file, BLOB_HEAD_LEN + 4), 0);
	assert_int_equal(store_get(b->s, "/a", &blob, &err), -1);
	assert_int_equal(err.kind, FL_ERR_SYSTEM);
	put(b, "/a", "again");
	expect(b, "/a", "again");
	free(file);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(what_is_put_can_be_got),
		TEST(readers_see_the_old_or_the_new),
		TEST(an_aborted_upload_leaves_nothing),
		TEST(what_a_crash_left_is_removed_at_start),
		TEST(deleting_takes_the_empty_folders_along),
		TEST(a_listing_has_what_is_right_there),
		TEST(what_cannot_fit_is_refused_at_once),
		TEST(the_largest_size_is_kept),
		TEST(a_failed_write_is_reported),
		TEST(a_damaged_file_is_not_served),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
