#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <locale.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "slugbuilder/ignore.h"
#include "slugbuilder/pack.h"
#include "slugbuilder/textfile.h"
#include "slugbuilder/tree.h"
#include "slugbuilder/unpack.h"
#include "slugbuilder/user.h"

static const struct unpack_limits roomy = { .bytes = 1 << 20, .entries = 100 };

/* A directory with another one, out/, in it; nothing may ever be written beside out/. */
struct place {
	char dir[32], out[40];
	struct user me;
};

static int
setup(void **state)
{
	static struct place p;

	p = (struct place){ .dir = "/tmp/unpack_test.XXXXXX", .me = { .uid = getuid(), .gid = getgid() } };
	if (mkdtemp(p.dir) == NULL)
		return -1;
	snprintf(p.out, sizeof(p.out), "%s/out", p.dir);
	*state = &p;
	return mkdir(p.out, 0755);
}

static int
teardown(void **state)
{
	struct place *p = *state;

	tree_clear(p->dir, &p->me);
	return rmdir(p->dir);
}

struct entry {
	const char *path, *target; /* target: of a link; of a file its text */
	mode_t type;
	bool hard;
};

/* A tar as a file descriptor, at its beginning. */
static int
tar_of(const struct entry *entries, size_t n)
{
	struct archive *a = archive_write_new();
	FILE *f = tmpfile();
	int fd = dup(fileno(f));

	fclose(f);
	archive_write_set_format_pax_restricted(a);
	archive_write_set_bytes_in_last_block(a, 512);
	assert_int_equal(archive_write_open_fd(a, fd), ARCHIVE_OK);
	for (size_t i = 0; i < n; i++) {
		struct archive_entry *e = archive_entry_new();
		bool is_file = entries[i].type == AE_IFREG && !entries[i].hard;

		archive_entry_set_pathname(e, entries[i].path);
		archive_entry_set_filetype(e, entries[i].type);
		archive_entry_set_perm(e, 06755);
		if (entries[i].hard)
			archive_entry_set_hardlink(e, entries[i].target);
		else if (entries[i].type == AE_IFLNK)
			archive_entry_set_symlink(e, entries[i].target);
		archive_entry_set_size(e, is_file ? (int64_t)strlen(entries[i].target) : 0);
		assert_int_equal(archive_write_header(a, e), ARCHIVE_OK);
		if (is_file)
			archive_write_data(a, entries[i].target, strlen(entries[i].target));
		archive_entry_free(e);
	}
	archive_write_free(a);
	lseek(fd, 0, SEEK_SET);
	return fd;
}

static void
what_escapes_is_refused(void **state)
{
	static const struct {
		struct entry entries[2];
		size_t n;
		const char *want;
	} cases[] = {
		{ { { "/tmp/unpack_test_evil", "x", AE_IFREG, false } }, 1, "outside of it: \"/tmp/unpack_test_evil\"" },
		{ { { "../evil", "x", AE_IFREG, false } }, 1, "outside of it: \"../evil\"" },
		{ { { "a/../../evil", "x", AE_IFREG, false } }, 1, "outside of it: \"a/../../evil\"" },
		{ { { "a/..", "", AE_IFDIR, false } }, 1, "outside of it: \"a/../\"" },
		{ { { "up", "..", AE_IFLNK, false }, { "up/evil", "x", AE_IFREG, false } }, 2, "through symlink" },
		{ { { "h", "../secret", AE_IFREG, true } }, 1, "links \"h\" to a file outside" },
		{ { { "up", "..", AE_IFLNK, false }, { "h", "up/secret", AE_IFREG, true } }, 2, "through symlink" },
	};
	struct place *p = *state;

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		int fd = tar_of(cases[i].entries, cases[i].n);
		struct fl_err err = { 0 };

		tree_clear(p->out, &p->me);
		assert_int_equal(unpack_fd(fd, p->out, &roomy, &err), -1);
		if (strstr(err.msg, cases[i].want) == NULL)
			fail_msg("\"%s\" instead of \"%s\"", err.msg, cases[i].want);
		close(fd);
	}
	assert_int_equal(access("/tmp/unpack_test_evil", F_OK), -1);
	tree_clear(p->out, &p->me);
	assert_int_equal(rmdir(p->out), 0);
	assert_true(tree_is_empty(p->dir));
}

static void
devices_are_skipped_and_set_id_bits_dropped(void **state)
{
	static const struct entry entries[] = {
		{ "fifo", "", AE_IFIFO, false },
		{ "null", "", AE_IFCHR, false },
		{ "program", "#!", AE_IFREG, false },
	};
	struct place *p = *state;
	int fd = tar_of(entries, fl_nitems(entries));
	struct stat st;
	char path[64];

	assert_int_equal(unpack_fd(fd, p->out, &roomy, NULL), 3);
	close(fd);
	snprintf(path, sizeof(path), "%s/program", p->out);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	snprintf(path, sizeof(path), "%s/fifo", p->out);
	assert_int_equal(lstat(path, &st), -1);
	snprintf(path, sizeof(path), "%s/null", p->out);
	assert_int_equal(lstat(path, &st), -1);
}

static void
limits_hold(void **state)
{
	static const struct entry entries[] = { { "a", "0123456789", AE_IFREG, false }, { "b", "0123456789", AE_IFREG, false } };
	static const struct {
		struct unpack_limits limits;
		int64_t want;
	} cases[] = { { { 20, 2, NULL }, 2 }, { { 19, 2, NULL }, -1 }, { { 20, 1, NULL }, -1 } };
	struct place *p = *state;

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		int fd = tar_of(entries, fl_nitems(entries));
		struct fl_err err = { 0 };

		assert_int_equal(unpack_fd(fd, p->out, &cases[i].limits, &err), cases[i].want);
		if (cases[i].want == -1)
			assert_int_equal(err.kind, FL_ERR_TOO_BIG);
		close(fd);
	}
}

static void
what_is_excepted_is_left_out(void **state)
{
	static const struct entry entries[] = {
		{ "a", "", AE_IFDIR, false }, { "a/kept", "", AE_IFDIR, false }, { "a/kept/x", "new", AE_IFREG, false },
		{ "a/kept2", "y", AE_IFREG, false }, { "./b", "z", AE_IFREG, false },
	};
	static const char *const except[] = { "a/kept", "b", NULL };
	static const struct unpack_limits limits = { .bytes = 1 << 20, .entries = 100, .except = except };
	struct place *p = *state;
	int fd = tar_of(entries, fl_nitems(entries));
	char path[64];

	assert_int_equal(unpack_fd(fd, p->out, &limits, NULL), 5);
	close(fd);
	snprintf(path, sizeof(path), "%s/a/kept", p->out);
	assert_int_equal(access(path, F_OK), -1);
	snprintf(path, sizeof(path), "%s/b", p->out);
	assert_int_equal(access(path, F_OK), -1);
	snprintf(path, sizeof(path), "%s/a/kept2", p->out);
	assert_int_equal(access(path, F_OK), 0);
}

static void
a_cut_tar_is_refused_wherever_it_is_cut(void **state)
{
	static const struct entry entries[] = { { "a", "0123456789", AE_IFREG, false }, { "b", "0123456789", AE_IFREG, false } };
	struct place *p = *state;
	int fd = tar_of(entries, fl_nitems(entries));

	/* two entries of a header and a block each, and one block of the end is enough */
	for (off_t size = 512; size < 4 * 512 + 512; size += 256) {
		struct fl_err err = { 0 };
		int cut = tar_of(entries, fl_nitems(entries));

		assert_int_equal(ftruncate(cut, size), 0);
		assert_int_equal(unpack_fd(cut, p->out, &roomy, &err), -1);
		assert_int_equal(err.kind, FL_ERR_INVALID);
		close(cut);
	}
	assert_int_equal(unpack_fd(fd, p->out, &roomy, NULL), 2);
	close(fd);
}

static void
junk_is_no_archive(void **state)
{
	struct place *p = *state;
	FILE *f = tmpfile();
	struct fl_err err = { 0 };

	fputs("this is not a tar at all, just some words that are long enough", f);
	rewind(f);
	assert_int_equal(unpack_fd(fileno(f), p->out, &roomy, &err), -1);
	assert_int_equal(err.kind, FL_ERR_INVALID);
	assert_non_null(strstr(err.msg, "the archive is damaged"));
	fclose(f);
}

static void
write_file(const char *dir, const char *name, const char *text)
{
	struct fl_buf b = { 0 };

	fl_buf_addstr(&b, text);
	assert_int_equal(textfile_write(dir, name, &b, NULL), 0);
	fl_buf_release(&b);
}

/* Packs p->dir (out/ is left out), and unpacks it into out/. */
static void
round_trip(struct place *p, const char *ignored)
{
	struct ignore *ig = ignore_new(ignored, strlen(ignored));
	FILE *f = tmpfile();
	struct fl_err err = { 0 };
	int64_t size = pack(p->dir, ig, fileno(f), &err);
	struct stat st;

	assert_int_not_equal(size, -1);
	assert_int_equal(fstat(fileno(f), &st), 0);
	assert_int_equal(st.st_size, size);
	rewind(f);
	if (unpack_fd(fileno(f), p->out, &roomy, &err) == -1)
		fail_msg("%s", err.msg);
	fclose(f);
	ignore_free(ig);
}

static void
what_is_packed_comes_out_again(void **state)
{
	struct place *p = *state;
	struct fl_buf text = { 0 };
	char path[128], target[128] = "";
	struct stat a, b;

	write_file(p->dir, "gr\xc3\xbc\xc3\x9f.txt", "text");
	write_file(p->dir, "skipped.o", "text");
	snprintf(path, sizeof(path), "%s/dir", p->dir);
	assert_int_equal(mkdir(path, 0700), 0);
	write_file(path, "file", "in a directory");
	snprintf(path, sizeof(path), "%s/link", p->dir);
	assert_int_equal(symlink("/absolute/target", path), 0);
	snprintf(path, sizeof(path), "%s/dir/file", p->dir);
	snprintf(target, sizeof(target), "%s/same", p->dir);
	assert_int_equal(link(path, target), 0);

	round_trip(p, "/out\n*.o\n");

	assert_int_equal(textfile_read(p->out, "gr\xc3\xbc\xc3\x9f.txt", 100, &text, NULL), 0);
	assert_int_equal(textfile_read(p->out, "dir/file", 100, &text, NULL), 0);
	assert_int_equal(textfile_read(p->out, "skipped.o", 100, &text, NULL), 0); /* absent is empty */
	assert_string_equal(text.data, "textin a directory");
	fl_buf_release(&text);
	snprintf(path, sizeof(path), "%s/link", p->out);
	memset(target, 0, sizeof(target));
	assert_int_equal(readlink(path, target, sizeof(target) - 1), 16);
	assert_string_equal(target, "/absolute/target");
	snprintf(path, sizeof(path), "%s/same", p->out);
	assert_int_equal(stat(path, &a), 0);
	snprintf(path, sizeof(path), "%s/dir/file", p->out);
	assert_int_equal(stat(path, &b), 0);
	assert_int_equal(a.st_ino, b.st_ino);
}

static void
the_fingerprint_tells_changes(void **state)
{
	struct place *p = *state;
	uint64_t before, after;

	assert_true(pack_fingerprint(p->out) == 0);
	write_file(p->out, "a", "1");
	before = pack_fingerprint(p->out);
	assert_true(before != 0);
	assert_true(pack_fingerprint(p->out) == before);
	write_file(p->out, "b", "1");
	after = pack_fingerprint(p->out);
	assert_true(after != before);
	write_file(p->out, "b", "22");
	assert_true(pack_fingerprint(p->out) != after);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_escapes_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(devices_are_skipped_and_set_id_bits_dropped, setup, teardown),
		cmocka_unit_test_setup_teardown(limits_hold, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_excepted_is_left_out, setup, teardown),
		cmocka_unit_test_setup_teardown(a_cut_tar_is_refused_wherever_it_is_cut, setup, teardown),
		cmocka_unit_test_setup_teardown(junk_is_no_archive, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_packed_comes_out_again, setup, teardown),
		cmocka_unit_test_setup_teardown(the_fingerprint_tells_changes, setup, teardown),
	};

	setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
