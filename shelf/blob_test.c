#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "libflynn/attr.h"
#include "libflynn/err.h"
#include "shelf/blob.h"

static void
paths_become_names_that_lead_nowhere_else(FL_UNUSED void **state)
{
	static const struct {
		const char *path, *want; /* NULL: refused */
	} cases[] = {
		{ "/a", "a" },
		{ "/a/b", "a,/b" },
		{ "/slugs/0123.tgz", "slugs,/0123.tgz" },
		{ "/a,", "a%2C" },
		{ "/.hidden", "%2Ehidden" },
		{ "/a b%", "a%20b%25" },
		{ "/\xc3\xa4", "%C3%A4" },
		{ "/...", "%2E.." },
		{ "/..a", "%2E.a" },
		{ "a", NULL },
		{ "", NULL },
		{ "/", NULL },
		{ "//a", NULL },
		{ "/a/", NULL },
		{ "/a//b", NULL },
		{ "/.", NULL },
		{ "/..", NULL },
		{ "/../a", NULL },
		{ "/a/../b", NULL },
		{ "/a/./b", NULL },
		{ "/a\nb", NULL },
		{ "/a\x7f", NULL },
		{ "/\xff", NULL },
		{ "/\xc0\xae", NULL }, /* an overlong "." */
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct fl_err err = { 0 };
		char *got = blob_file(cases[i].path, &err);

		if ((got == NULL) != (cases[i].want == NULL) || (got != NULL && strcmp(got, cases[i].want) != 0))
			fail_msg("%s: %s", cases[i].path, got != NULL ? got : err.msg);
		assert_true(got != NULL || err.kind == FL_ERR_INVALID);
		free(got);
	}
}

static void
long_and_deep_paths_are_refused(FL_UNUSED void **state)
{
	char path[BLOB_PATH_MAX + 2], *file;

	memset(path, 'a', sizeof(path));
	path[0] = '/';
	path[256] = '\0'; /* a part of 255 bytes */
	file = blob_file(path, NULL);
	assert_non_null(file);
	free(file);
	path[256] = 'a';
	path[257] = '\0';
	assert_null(blob_file(path, NULL));
	for (size_t i = 0; i < sizeof(path); i += 2)
		path[i] = '/';
	path[2 * BLOB_DEPTH_MAX] = '\0';
	file = blob_file(path, NULL);
	assert_non_null(file);
	free(file);
	path[2 * BLOB_DEPTH_MAX] = '/';
	path[2 * BLOB_DEPTH_MAX + 2] = '\0';
	assert_null(blob_file(path, NULL));
	memset(path, 'a', sizeof(path));
	for (size_t i = 0; i < sizeof(path); i += 200)
		path[i] = '/';
	path[BLOB_PATH_MAX + 1] = '\0';
	assert_null(blob_file(path, NULL));
	path[BLOB_PATH_MAX] = '\0';
	file = blob_file(path, NULL);
	assert_non_null(file);
	free(file);
}

static void
folders_are_marked_and_read_back(FL_UNUSED void **state)
{
	bool is_folder;
	char *folder = blob_folder("/a b/c/", NULL), *part;

	assert_string_equal(folder, "a%20b,/c,");
	free(folder);
	folder = blob_folder("/", NULL);
	assert_string_equal(folder, "");
	free(folder);
	part = blob_part("a%20b,", &is_folder);
	assert_string_equal(part, "a b");
	assert_true(is_folder);
	free(part);
	part = blob_part("c.tgz", &is_folder);
	assert_string_equal(part, "c.tgz");
	assert_false(is_folder);
	free(part);
	assert_null(blob_part(".nfs0001", &is_folder));
}

static void
a_head_is_read_as_it_was_written(FL_UNUSED void **state)
{
	struct blob b = { .size = 5, .modified_s = 1400000000, .type = "text/plain; charset=utf-8" }, got;
	char head[BLOB_HEAD_LEN];

	memset(b.hash, 'a', BLOB_HASH_LEN);
	blob_head_write(&b, "/a", head);
	assert_int_equal(blob_head_read(head, BLOB_HEAD_LEN + 5, &got, NULL), 0);
	assert_int_equal(got.size, b.size);
	assert_int_equal(got.modified_s, b.modified_s);
	assert_string_equal(got.hash, b.hash);
	assert_string_equal(got.type, b.type);
}

static void
the_longest_path_and_type_fit_the_head(FL_UNUSED void **state)
{
	struct blob b = { .size = INT64_MAX - BLOB_HEAD_LEN, .modified_s = INT64_MAX }, got;
	char head[BLOB_HEAD_LEN], path[BLOB_PATH_MAX + 1];

	memset(path, 'p', BLOB_PATH_MAX);
	path[BLOB_PATH_MAX] = '\0';
	memset(b.type, 't', BLOB_TYPE_MAX);
	memset(b.hash, 'a', BLOB_HASH_LEN);
	blob_head_write(&b, path, head);
	assert_int_equal(blob_head_read(head, INT64_MAX, &got, NULL), 0);
	assert_string_equal(got.type, b.type);
	assert_int_equal(head[BLOB_HEAD_LEN - 1], 0);
}

static void
damaged_files_are_recognised(FL_UNUSED void **state)
{
	static const struct {
		const char *text;
		int64_t file_size;
	} cases[] = {
		{ "", BLOB_HEAD_LEN },
		{ "something else", BLOB_HEAD_LEN },
		{ "flynn-shelf 1\nsize 5\nsha256 a\nmodified 1\ntype \n", BLOB_HEAD_LEN + 4 }, /* cut */
		{ "flynn-shelf 1\nsize 5\nsha256 a\nmodified 1\ntype \n", 100 },
		{ "flynn-shelf 1\nsize -5\nsha256 a\nmodified 1\ntype \n", BLOB_HEAD_LEN - 5 },
		{ "flynn-shelf 1\nsize x\nsha256 a\nmodified 1\ntype \n", BLOB_HEAD_LEN },
		{ "flynn-shelf 1\nsize 0\nmodified 1\ntype \n", BLOB_HEAD_LEN },
		{ "flynn-shelf 1\nsize 0\nsha256 a\nmodified 1\ntype", BLOB_HEAD_LEN },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		char head[BLOB_HEAD_LEN] = { 0 };
		struct blob b;
		struct fl_err err = { 0 };

		memcpy(head, cases[i].text, strlen(cases[i].text));
		if (blob_head_read(head, cases[i].file_size, &b, &err) != -1 || err.kind != FL_ERR_SYSTEM)
			fail_msg("case %zu", i);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_become_names_that_lead_nowhere_else),
		cmocka_unit_test(long_and_deep_paths_are_refused),
		cmocka_unit_test(folders_are_marked_and_read_back),
		cmocka_unit_test(a_head_is_read_as_it_was_written),
		cmocka_unit_test(the_longest_path_and_type_fit_the_head),
		cmocka_unit_test(damaged_files_are_recognised),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
