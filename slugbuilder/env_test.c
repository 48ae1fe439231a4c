#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libflynn/attr.h"
#include "libflynn/err.h"
#include "libflynn/json.h"
#include "slugbuilder/env.h"
#include "slugbuilder/user.h"

static const struct user nobody_else = { .name = "me" };

static const char *
find(char **env, const char *name)
{
	size_t len = strlen(name);

	for (; *env != NULL; env++)
		if (strncmp(*env, name, len) == 0 && (*env)[len] == '=')
			return *env + len + 1;
	return NULL;
}

static void
buildpacks_see_what_they_need_and_no_secrets(FL_UNUSED void **state)
{
	char **env;

	setenv("SLUG_PUT_URL", "http://x/?sig=secret", 1);
	setenv("CLUSTER_KEY", "secret", 1);
	setenv("HTTPS_PROXY", "http://proxy", 1);
	setenv("NPM_CONFIG_REGISTRY", "http://registry", 1);
	env = env_for_buildpack(&(struct env_about){ "/app", "stack-1", &nobody_else });
	assert_string_equal(find(env, "HOME"), "/app");
	assert_string_equal(find(env, "STACK"), "stack-1");
	assert_string_equal(find(env, "USER"), "me");
	assert_string_equal(find(env, "HTTPS_PROXY"), "http://proxy");
	assert_string_equal(find(env, "NPM_CONFIG_REGISTRY"), "http://registry");
	assert_non_null(find(env, "PATH"));
	for (char **e = env; *e != NULL; e++)
		assert_null(strstr(*e, "secret"));
	env_free(env);
}

static void
only_an_object_of_strings_is_taken(FL_UNUSED void **state)
{
	static const struct {
		const char *text, *want; /* NULL: fine */
	} cases[] = {
		{ NULL, NULL }, { "{}", NULL }, { "{\"A_1\":\"x\",\"b\":\"\"}", NULL },
		{ "[]", "BUILD_ENV is not a JSON object" },
		{ "{\"A\":1}", "the variable A is not a string" },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct fl_err err = { 0 };
		struct fl_json *vars = env_parse(cases[i].text, &err);

		assert_int_equal(vars != NULL, cases[i].want == NULL);
		if (cases[i].want != NULL)
			assert_string_equal(err.msg, cases[i].want);
		fl_json_free(vars);
	}
}

static void
variables_become_files_of_one_reader(FL_UNUSED void **state)
{
	struct fl_json *vars = env_parse("{\"A\":\"two\\nlines\",\"B\":\"\",\"a.b\":\"\",\"C-D\":\"\",\"../x\":\"\",\"1A\":\"\",\"\":\"\"}", NULL);
	char dir[] = "/tmp/env_test.XXXXXX", path[64], text[64] = "";
	struct user me = { .uid = getuid(), .gid = getgid() };
	struct fl_err err = { 0 };
	struct stat st;
	FILE *f;

	assert_non_null(mkdtemp(dir));
	assert_int_equal(env_write(vars, dir, &me, &err), 0);
	snprintf(path, sizeof(path), "%s/A", dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_non_null(f = fopen(path, "re"));
	assert_int_equal(fread(text, 1, sizeof(text) - 1, f), 9);
	fclose(f);
	assert_string_equal(text, "two\nlines");
	assert_int_equal(env_write(vars, dir, &me, &err), -1); /* never over something that is there */
	unlink(path);
	snprintf(path, sizeof(path), "%s/B", dir);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0); /* names that are none have become no files */
	fl_json_free(vars);
}

/* A disk that takes a part of what is written and then no more. */
static int
write_on_full_disk(const struct fl_json *vars, const char *dir, struct fl_err *err)
{
	const struct user me = { .uid = getuid(), .gid = getgid() };
	struct rlimit before, four;
	int rc;

	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &before);
	four = (struct rlimit){ 4, before.rlim_max };
	setrlimit(RLIMIT_FSIZE, &four);
	rc = env_write(vars, dir, &me, err);
	setrlimit(RLIMIT_FSIZE, &before);
	return rc;
}

static void
full_disk_is_told_as_such(FL_UNUSED void **state)
{
	struct fl_json *vars = env_parse("{\"A\":\"more than four\"}", NULL);
	char dir[] = "/tmp/env_test.XXXXXX", path[64];
	struct fl_err err = { 0 };

	assert_non_null(mkdtemp(dir));
	errno = 0;
	assert_int_equal(write_on_full_disk(vars, dir, &err), -1);
	assert_string_equal(err.msg, "write the variable A: File too large");
	snprintf(path, sizeof(path), "%s/A", dir);
	unlink(path);
	rmdir(dir);
	fl_json_free(vars);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(buildpacks_see_what_they_need_and_no_secrets),
		cmocka_unit_test(only_an_object_of_strings_is_taken),
		cmocka_unit_test(variables_become_files_of_one_reader),
		cmocka_unit_test(full_disk_is_told_as_such),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
