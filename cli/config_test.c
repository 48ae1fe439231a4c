#include "cli/config.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "libflynn/assert_test.h"
#include "libflynn/attr.h"
#include "libflynn/err.h"
#include "libflynn/xmalloc.h"

#define PIN "KGCENkp53YF5OvOKkZIry71+czFRkSw2ZdMszZ/0ljs="

static void
assert_cluster(const struct cluster *c, const char *name, const char *git_host, const char *url, const char *key, const char *pin)
{
	assert_same(c->name, name);
	assert_same(c->git_host, git_host);
	assert_same(c->url, url);
	assert_same(c->key, key);
	assert_same(c->pin, pin);
}

static void
every_era_is_read(FL_UNUSED void **state)
{
	static const char *const cases[] = {
		/* 2014, early */
		"[[server]]\n  Name = \"d\"\n  GitHost = \"h:2222\"\n  URL = \"https://h\"\n  Key = \"k\"\n  TLSPin = \"" PIN "\"\n",
		/* 2014, late: no newline at the end */
		"[[cluster]]\n  Name = \"d\"\n  GitHost = \"h:2222\"\n  URL = \"https://h\"\n  Key = \"k\"\n  TLSPin = \"" PIN "\"",
		/* the last ones, with keys that mean nothing to us */
		"default = \"d\"\n\n[[cluster]]\n  Name = \"d\"\n  Key = \"k\"\n  TLSPin = \"" PIN "\"\n  ControllerURL = \"https://h\"\n"
		"  GitURL = \"https://git.h\"\n  ImageURL = \"https://images.h\"\n  DockerPushURL = \"\"\n  GitHost = \"h:2222\"\n",
		/* by hand */
		"# mine\r\n[[ClusteR]] # one\r\nNAME='d' # its name\r\nkey=\"k\"\r\n\turl\t=\t'https://h'\r\ngithost = \"h:2222\"\r\n"
		"tlspin = '" PIN "'\r\nretries = 3\r\n",
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct fl_err err = { 0 };
		struct config *c = config_parse("rc", cases[i], &err);

		if (c == NULL)
			print_error("case %zu: %s\n", i, err.msg);
		assert_non_null(c);
		assert_int_equal(c->n, 1);
		assert_cluster(&c->clusters[0], "d", "h:2222", "https://h", "k", PIN);
		config_free(c);
	}
}

static void
what_may_be_left_out_has_a_default(FL_UNUSED void **state)
{
	struct config *c = config_parse("rc", "[[cluster]]\nName = \"d\"\nURL = \"https://h:8443/\"\nKey = \"k\"\n", NULL);

	assert_non_null(c);
	assert_null(c->default_name);
	assert_cluster(&c->clusters[0], "d", "h", "https://h:8443/", "k", NULL);
	config_free(c);
	assert_non_null(c = config_parse("rc", "", NULL));
	assert_int_equal(c->n, 0);
	config_free(c);
}

static void
quotes_and_backslashes_are_taken_off(FL_UNUSED void **state)
{
	static const struct {
		const char *value, *want;
	} cases[] = {
		{ "\"\"", "" },
		{ "\"a \\\"b\\\" c\"", "a \"b\" c" },
		{ "\"a\\\\b\"", "a\\b" },
		{ "'a\\b\"c'", "a\\b\"c" },
		{ "\"a # b\" # c", "a # b" },
		{ "\"a\\tb\\nc\"", "a\tb\nc" },
		{ "\"\\u00fc\"", "\303\274" },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		char *text = fl_xasprintf("default = %s\n", cases[i].value);
		struct config *c = config_parse("rc", text, NULL);

		assert_non_null(c);
		assert_same(c->default_name, cases[i].want);
		config_free(c);
		free(text);
	}
}

static void
broken_lines_are_named(FL_UNUSED void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "hello\n", "rc line 1: expected Key = \"value\"" },
		{ "\n[[host]]\n", "rc line 2: expected [[server]] or [[cluster]]" },
		{ "[[clusters]]\n", "rc line 1: expected [[server]] or [[cluster]]" },
		{ "[[cluster]] x\n", "rc line 1: expected [[server]] or [[cluster]]" },
		{ "[cluster]\n", "rc line 1: expected Key = \"value\"" },
		{ "[[cluster]]\nName = d\n", "rc line 2: Name must be a quoted string" },
		{ "[[cluster]]\nName = \"d\n", "rc line 2: Name must be a quoted string" },
		{ "[[cluster]]\nName = \"d\" e\n", "rc line 2: Name must be a quoted string" },
		{ "[[cluster]]\nName = \"\\q\"\n", "rc line 2: Name must be a quoted string" },
		{ "[[cluster]]\nName = \"\\ud800\"\n", "rc line 2: Name must be a quoted string" },
		{ "[[cluster]]\nName = \"\\u0000\"\n", "rc line 2: Name must be a quoted string" },
		{ "[[cluster]]\nName =\n", "rc line 2: Name must be a quoted string" },
		{ "[[cluster]]\n= \"x\"\n", "rc line 2: expected Key = \"value\"" },
		{ "[[cluster]]\nName = \"d\"\nURL = \"u\"\nKey = \"k\"\n", "rc: cluster d: \"u\" is not a URL" },
		{ "[[cluster]]\nName = \"d\"\nURL = \"u\"\n", "rc: entry 1 lacks a Name, URL or Key" },
		{ "[[cluster]]\nName = \"d\"\nURL = \"https://u\"\nKey = \"k\"\n[[cluster]]\n", "rc: entry 2 lacks a Name, URL or Key" },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct fl_err err = { 0 };

		assert_null(config_parse("rc", cases[i].text, &err));
		assert_int_equal(err.kind, FL_ERR_INVALID);
		assert_string_equal(err.msg, cases[i].want);
	}
}

static struct config *
two_clusters(void)
{
	static const char text[] = "[[cluster]]\nName = \"a\"\nGitHost = \"ga:2222\"\nURL = \"https://a\"\nKey = \"ka\"\n"
				   "[[cluster]]\nName = \"b\"\nGitHost = \"gb\"\nURL = \"https://b\"\nKey = \"kb\"\nTLSPin = \"" PIN "\"\n";
	struct config *c = config_parse("rc", text, NULL);

	assert_non_null(c);
	return c;
}

static void
only_new_clusters_are_added(FL_UNUSED void **state)
{
	static const struct {
		struct cluster cluster;
		const char *want; /* NULL: added */
	} cases[] = {
		{ { (char *)"a", (char *)"https://c", (char *)"k", (char *)"gc", NULL },
		    "a cluster with the name a exists already in rc: remove it first with flynn cluster remove a" },
		{ { (char *)"c", (char *)"https://c", (char *)"k", (char *)"gb", NULL },
		    "a cluster with the git host gb exists already in rc: remove it first with flynn cluster remove b" },
		{ { (char *)"c", (char *)"https://b", (char *)"k", (char *)"gc", NULL },
		    "a cluster with the URL https://b exists already in rc: remove it first with flynn cluster remove b" },
		{ { (char *)"c", (char *)"https://c", (char *)"ka", (char *)"gc", NULL }, NULL },
		{ { (char *)"c", (char *)"https://c", (char *)"k", (char *)"gc", (char *)PIN }, NULL },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct config *c = two_clusters();
		struct fl_err err = { 0 };

		assert_int_equal(config_add(c, &cases[i].cluster, &err), cases[i].want != NULL ? -1 : 0);
		assert_int_equal(c->n, cases[i].want != NULL ? 2 : 3);
		if (cases[i].want != NULL) {
			assert_int_equal(err.kind, FL_ERR_CONFLICT);
			assert_string_equal(err.msg, cases[i].want);
		}
		config_free(c);
	}
}

static void
a_removed_cluster_is_default_no_more(FL_UNUSED void **state)
{
	struct config *c = two_clusters();

	c->default_name = fl_xstrdup("a");
	assert_false(config_remove(c, "c"));
	assert_true(config_remove(c, "a"));
	assert_int_equal(c->n, 1);
	assert_string_equal(c->clusters[0].name, "b");
	assert_null(c->default_name);
	assert_null(config_find(c, "a"));
	assert_ptr_equal(config_find(c, "b"), &c->clusters[0]);
	config_free(c);
}

static void
a_replaced_cluster_keeps_its_place_and_stays_the_default(FL_UNUSED void **state)
{
	struct config *c = two_clusters();
	struct fl_err err = { 0 };

	assert_int_equal(config_replace(c, &(struct cluster){ (char *)"a", (char *)"https://a", (char *)"new", (char *)"gn", NULL }, NULL), 0);
	assert_int_equal(c->n, 2);
	assert_cluster(&c->clusters[0], "a", "gn", "https://a", "new", NULL);
	assert_true(config_is_default(c, &c->clusters[0]));
	c->default_name = fl_xstrdup("b");
	assert_int_equal(config_replace(c, &(struct cluster){ (char *)"b", (char *)"https://n", (char *)"kb", (char *)"gb", NULL }, NULL), 0);
	assert_cluster(&c->clusters[1], "b", "gb", "https://n", "kb", NULL);
	assert_true(config_is_default(c, &c->clusters[1]));
	assert_int_equal(config_replace(c, &(struct cluster){ (char *)"c", (char *)"https://c", (char *)"k", (char *)"gc", NULL }, NULL), 0);
	assert_int_equal(c->n, 3);
	assert_int_equal(config_replace(c, &(struct cluster){ (char *)"c", (char *)"https://a", (char *)"k", (char *)"gc", NULL }, &err), -1);
	assert_string_equal(err.msg, "a cluster with the URL https://a exists already in rc: remove it first with flynn cluster remove a");
	assert_cluster(&c->clusters[2], "c", "gc", "https://c", "k", NULL);
	config_free(c);
}

static void
a_remote_tells_cluster_and_app(FL_UNUSED void **state)
{
	static const struct {
		const char *url, *cluster, *app;
	} cases[] = {
		{ "ssh://git@ga:2222/example.git", "a", "example" },
		{ "ssh://git@gb/my-app.git", "b", "my-app" },
		{ "ssh://git@ga/example.git", NULL, NULL },
		{ "ssh://git@gb:22/example.git", NULL, NULL },
		{ "ssh://git@gb/.git", NULL, NULL },
		{ "ssh://git@gb/example", NULL, NULL },
		{ "ssh://other@gb/example.git", NULL, NULL },
		{ "git@gb:example.git", NULL, NULL },
		{ "https://gb/example.git", NULL, NULL },
		{ "", NULL, NULL },
	};
	struct config *c = two_clusters();

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		char *app = NULL;
		const struct cluster *found = config_match_remote(c, cases[i].url, &app);

		assert_same(found != NULL ? found->name : NULL, cases[i].cluster);
		assert_same(app, cases[i].app);
		free(app);
	}
	config_free(c);
}

/* A directory of its own for a file that $FLYNNRC names. */
static int
make_place(void **state)
{
	char dir[] = "/tmp/config_test.XXXXXX", *path;

	if (mkdtemp(dir) == NULL)
		return -1;
	path = fl_xasprintf("%s/rc", dir);
	setenv("FLYNNRC", path, 1);
	free(path);
	*state = fl_xstrdup(dir);
	return 0;
}

static int
remove_place(void **state)
{
	unlink(getenv("FLYNNRC"));
	unsetenv("FLYNNRC");
	if (rmdir(*state) == -1) /* nothing else was left there */
		return -1;
	free(*state);
	return 0;
}

static void
what_is_written_is_read_again(FL_UNUSED void **state)
{
	static const struct cluster odd = {
		(char *)"a \"b\" \\ \303\274 # c", (char *)"https://h/", (char *)"line\nand\ttab\001", (char *)"[::1]:2222", (char *)PIN
	};
	struct config *c = config_read(NULL), *again;
	struct stat st;

	assert_non_null(c); /* no file: empty */
	assert_int_equal(c->n, 0);
	assert_int_equal(config_add(c, &odd, NULL), 0);
	assert_int_equal(config_add(c, &(struct cluster){ (char *)"d", (char *)"https://d", (char *)"k", (char *)"g", NULL }, NULL), 0);
	c->default_name = fl_xstrdup(odd.name);
	umask(0);
	assert_int_equal(config_write(c, NULL), 0);
	config_free(c);
	assert_int_equal(stat(getenv("FLYNNRC"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_non_null(again = config_read(NULL));
	assert_int_equal(again->n, 2);
	assert_cluster(&again->clusters[0], odd.name, odd.git_host, odd.url, odd.key, odd.pin);
	assert_cluster(&again->clusters[1], "d", "g", "https://d", "k", NULL);
	assert_string_equal(again->default_name, odd.name);
	config_free(again);
}

static void
a_link_to_the_file_stays_a_link(void **state)
{
	char *real = fl_xasprintf("%s/real", (char *)*state);
	struct config *c;
	struct stat st;

	assert_int_equal(close(open(real, O_CREAT | O_WRONLY | O_CLOEXEC, 0600)), 0);
	assert_int_equal(symlink("real", getenv("FLYNNRC")), 0);
	assert_non_null(c = config_read(NULL));
	assert_int_equal(config_write(c, NULL), 0);
	config_free(c);
	assert_int_equal(lstat(getenv("FLYNNRC"), &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(lstat(real, &st), 0);
	assert_int_equal(unlink(real), 0);
	free(real);
}

static void
a_file_that_cannot_be_written_is_named(FL_UNUSED void **state)
{
	struct config *c = two_clusters();
	struct fl_err err = { 0 };

	free(c->path);
	c->path = fl_xstrdup("/nonexistent/rc");
	assert_int_equal(config_write(c, &err), -1);
	assert_string_equal(err.msg, "write /nonexistent/rc: No such file or directory");
	config_free(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_era_is_read),
		cmocka_unit_test(what_may_be_left_out_has_a_default),
		cmocka_unit_test(quotes_and_backslashes_are_taken_off),
		cmocka_unit_test(broken_lines_are_named),
		cmocka_unit_test(only_new_clusters_are_added),
		cmocka_unit_test(a_removed_cluster_is_default_no_more),
		cmocka_unit_test(a_replaced_cluster_keeps_its_place_and_stays_the_default),
		cmocka_unit_test(a_remote_tells_cluster_and_app),
		cmocka_unit_test_setup_teardown(what_is_written_is_read_again, make_place, remove_place),
		cmocka_unit_test_setup_teardown(a_link_to_the_file_stays_a_link, make_place, remove_place),
		cmocka_unit_test(a_file_that_cannot_be_written_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
