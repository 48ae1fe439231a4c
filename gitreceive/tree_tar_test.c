#include "gitreceive/tree_tar.h"

#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <archive.h>
#include <archive_entry.h>
#include <cmocka.h>
#include <openssl/evp.h>

#include "libflynn/attr.h"
#include "libflynn/base64.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/xmalloc.h"

/* A name of 200 letters in a folder of 200 letters: too long for the header of a plain tar. */
#define LONG_NAME                                                                                          \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
	"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define LONG_PATH LONG_NAME "/" LONG_NAME

/* big is over the size from which blobs are streamed. */
static const char make_repository[] =
    "set -e; exec >/dev/null 2>&1; export HOME=/nonexistent GIT_CONFIG_NOSYSTEM=1\n"
    "git init -q work; cd work; git config user.name t; git config user.email t@example.com\n"
    "printf 'web: node web.js' >Procfile\n"
    ": >empty\n"
    "printf '#!/bin/sh\\n' >run; chmod +x run\n"
    "mkdir -p lib/deep; printf x >lib/deep/x; ln -s ../lib/deep lib/link; ln -s /etc/passwd absolute\n"
    "printf 'u' >'\303\274 name\t.txt'\n"
    "mkdir " LONG_NAME "; printf long >" LONG_PATH "\n"
    "awk 'BEGIN { for (i = 0; i < 400000; i++) printf \"line %08d of a big one\\n\", i }' >big\n"
    "git add -A; git update-index --add --cacheinfo 160000,1111111111111111111111111111111111111111,module\n"
    "GIT_COMMITTER_DATE=@1400000000 git commit -q -m all; cd ..; git clone -q --bare work bare; cd bare; git gc -q\n"
    "git rev-parse HEAD >../commit\n";

struct repository {
	char *dir, *commit;
	char *home; /* where we were before */
};

static int
run_script(const char *script)
{
	char *argv[] = { (char *)"sh", (char *)"-c", (char *)script, NULL };
	int status = -1;
	pid_t pid;

	if (posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ) != 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return status;
}

static int
make(void **state)
{
	struct repository *r = fl_xcalloc(1, sizeof(*r));
	char dir[] = "/tmp/tree_tar_test.XXXXXX", commit[64] = "";
	FILE *f;

	r->home = getcwd(NULL, 0);
	r->dir = fl_xstrdup(mkdtemp(dir));
	*state = r;
	if (chdir(r->dir) == -1 || run_script(make_repository) != 0 || (f = fopen("commit", "re")) == NULL)
		return -1;
	if (fgets(commit, sizeof(commit), f) != NULL)
		commit[strcspn(commit, "\n")] = '\0';
	fclose(f);
	r->commit = fl_xstrdup(commit);
	return chdir("bare");
}

static int
unmake(void **state)
{
	struct repository *r = *state;
	char *command = fl_xasprintf("rm -rf %s", r->dir);
	int rc = chdir(r->home) == -1 || run_script(command) != 0 ? -1 : 0;

	free(command);
	free(r->dir);
	free(r->commit);
	free(r->home);
	free(r);
	return rc;
}

/* A line for each entry: type, mode, size, path, and what it holds or points to (large ones: the digest). */
static void
describe(struct archive *a, struct archive_entry *e, struct fl_buf *out)
{
	unsigned type = archive_entry_filetype(e);
	size_t size = (size_t)archive_entry_size(e);
	unsigned char *data = fl_xmalloc(size + 1), digest[EVP_MAX_MD_SIZE];
	char *hex;

	assert_int_equal(archive_entry_mtime(e), 1400000000);
	assert_int_equal(archive_read_data(a, data, size), size);
	data[size] = '\0';
	fl_buf_addf(out, "%c %o %zu %s", type == AE_IFDIR ? 'd' : type == AE_IFLNK ? 'l' : 'f', archive_entry_perm(e), size,
	    archive_entry_pathname(e));
	if (type == AE_IFLNK) {
		fl_buf_addf(out, " -> %s", archive_entry_symlink(e));
	} else if (size > 100) {
		EVP_Digest(data, size, digest, NULL, EVP_md5(), NULL);
		hex = fl_hex_encode(digest, 16);
		fl_buf_addf(out, " %s", hex);
		free(hex);
	} else {
		fl_buf_addf(out, " %s", (char *)data);
	}
	fl_buf_addc(out, '\n');
	free(data);
}

static char *
list(int fd)
{
	struct archive *a = archive_read_new();
	struct archive_entry *e;
	struct fl_buf out = { 0 };

	archive_read_support_format_tar(a);
	assert_int_equal(archive_read_open_fd(a, fd, 65536), ARCHIVE_OK);
	while (archive_read_next_header(a, &e) == ARCHIVE_OK)
		describe(a, e, &out);
	assert_null(archive_error_string(a));
	archive_read_free(a);
	return fl_buf_detach(&out);
}

static void
a_commit_becomes_a_tar_of_its_tree(void **state)
{
	static const char *const want[] = {
		"f 644 16 Procfile web: node web.js\n", "f 644 0 empty \n", "f 755 10 run #!/bin/sh\n", "d 755 0 lib/ \n",
		"d 755 0 lib/deep/ \n", "f 644 1 lib/deep/x x\n", "l 777 0 lib/link -> ../lib/deep\n",
		"l 777 0 absolute -> /etc/passwd\n", "f 644 1 \303\274 name\t.txt u\n", "f 644 4 " LONG_PATH " long\n",
		"d 755 0 module/ \n", "f 644 10800000 big 4cbb675eb1ed2a7eefc39092c3bf83ee\n"
	};
	const struct repository *r = *state;
	int fd = -1, status = -1;
	pid_t pid = tree_tar_start(r->commit, &fd, NULL);
	char *got;

	assert_int_not_equal(pid, -1);
	got = list(fd);
	close(fd);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	for (size_t i = 0; i < fl_nitems(want); i++) {
		if (strstr(got, want[i]) == NULL)
			print_error("%s lacks %s", got, want[i]);
		assert_non_null(strstr(got, want[i]));
	}
	free(got);
}

static void
what_is_no_commit_here_is_an_error(FL_UNUSED void **state)
{
	static const char *const cases[] = { "", "xyz", "1111111111111111111111111111111111111111" };

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct fl_err err = { 0 };
		FILE *null = fopen("/dev/null", "we");

		assert_int_equal(tree_tar_write(cases[i], fileno(null), &err), -1);
		assert_int_equal(err.kind, FL_ERR_SYSTEM);
		assert_non_null(strstr(err.msg, "read the pushed commit"));
		fclose(null);
	}
}

static void
a_reader_that_leaves_ends_the_writer(void **state)
{
	const struct repository *r = *state;
	int fd = -1, status = 0;
	pid_t pid = tree_tar_start(r->commit, &fd, NULL);

	close(fd);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_not_equal(status, 0);
}

static void
outside_a_repository_there_is_nothing_to_write(void **state)
{
	const struct repository *r = *state;
	struct fl_err err = { 0 };

	assert_int_equal(chdir(".."), 0);
	assert_int_equal(tree_tar_write(r->commit, STDOUT_FILENO, &err), -1);
	assert_non_null(strstr(err.msg, "open the repository"));
	assert_int_equal(chdir("bare"), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_commit_becomes_a_tar_of_its_tree),
		cmocka_unit_test(what_is_no_commit_here_is_an_error),
		cmocka_unit_test(a_reader_that_leaves_ends_the_writer),
		cmocka_unit_test(outside_a_repository_there_is_nothing_to_write),
	};

	return cmocka_run_group_tests(tests, make, unmake);
}
