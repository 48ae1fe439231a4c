#include "bootstrap/manifest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "bootstrap/step.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"

static struct manifest *
parse(const char *text, struct fl_err *err)
{
	return manifest_parse(NULL, text, strlen(text), err);
}

static void
bad_manifests_are_refused_with_a_sentence(FL_UNUSED void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "{}", "a manifest is a JSON array of steps" },
		{ "[]", "a manifest is a JSON array of steps" },
		{ "[1]", "step 1 of the manifest is no object" },
		{ "[{\"id\":\"a\",\"action\":\"log\"},[]]", "step 2 of the manifest is no object" },
		{ "[{\"action\":\"log\"}]", "step 1 of the manifest lacks an id or an action" },
		{ "[{\"id\":\"\",\"action\":\"log\"}]", "step 1 of the manifest lacks an id or an action" },
		{ "[{\"id\":\"a\"}]", "step 1 of the manifest lacks an id or an action" },
		{ "[{\"id\":1,\"action\":\"log\"}]", "step 1 of the manifest: \"id\" must be a string" },
		{ "[{\"id\":\"a\",\"action\":[]}]", "step 1 of the manifest: \"action\" must be a string" },
		{ "[{\"id\":\"a\",\"action\":\"log\"},{\"id\":\"a\",\"action\":\"log\"}]", "the manifest has two steps with the id a" },
		{ "[{\"id\":\"a\",\"action\":\"dance\"}]", "step a: there is no action \"dance\"" },
		{ "[{\"id\":\"a\",\"action\":\"log\",\"after\":\"b\"}]", "step a: \"after\" must be an array" },
		{ "[{\"id\":\"a\",\"action\":\"log\",\"after\":[1]}]", "step a: \"after\" must hold ids of steps" },
		{ "[{\"id\":\"a\",\"action\":\"log\",\"after\":[\"b\"]}]", "step a comes after b, which is no other step of the manifest" },
		{ "[{\"id\":\"a\",\"action\":\"log\",\"after\":[\"a\"]}]", "step a comes after a, which is no other step of the manifest" },
		{ "[{\"id\":\"a\",\"action\":\"add-app\",\"from_step\":\"b\"}]", "step a comes after b, which is no other step of the manifest" },
		{ "[{\"id\":\"a\",\"action\":\"add-app\",\"from_step\":1}]", "step a: \"from_step\" must be a string" },
		{ "[{\"id\":\"a\",\"action\":\"log\",\"output\":[{\"x\":\"{{ (index .StepData \\\"b\\\").C }}\"}]}]",
		    "step a comes after b, which is no other step of the manifest" },
		{ "[{\"id\":\"a\",\"action\":\"log\",\"after\":[\"b\"]},{\"id\":\"b\",\"action\":\"log\",\"after\":[\"c\"]},"
		  "{\"id\":\"c\",\"action\":\"log\",\"output\":\"{{ (index .StepData \\\"a\\\").X }}\"}]",
		    "step c waits, over others, for itself" },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct fl_err err = { 0 };

		assert_null(parse(cases[i].text, &err));
		assert_int_equal(err.kind, FL_ERR_INVALID);
		assert_string_equal(err.msg, cases[i].want);
	}
}

/* The ids of the steps that s comes after, each with a comma behind it. */
static char *
after(const struct step *s)
{
	struct fl_buf ids = { 0 };

	for (size_t i = 0; i < s->n_after; i++)
		fl_buf_addf(&ids, "%s,", s->after[i]->id);
	return fl_buf_detach(&ids);
}

static void
a_step_comes_after_what_it_names_in_any_way(FL_UNUSED void **state)
{
	static const struct {
		const char *members, *want;
	} cases[] = {
		{ "\"x\":1", "" },
		{ "\"after\":[\"a\",\"b\"]", "a,b," },
		{ "\"after\":[\"a\",\"a\"]", "a," },
		{ "\"app_step\":\"b\"", "b," },
		{ "\"from_step\":\"a\"", "a," },
		{ "\"cert_step\":\"b\",\"after\":[\"b\"]", "b," },
		{ "\"output\":\"{{ (index .StepData \\\"b\\\").X }}\"", "b," },
		{ "\"release\":{\"env\":{\"K\":\"{{ (index .StepData \\\"a\\\").X }}{{ (index .StepData \\\"b\\\").X }}\"}}", "a,b," },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct fl_buf text = { 0 };
		struct manifest *m;
		char *ids;

		fl_buf_addf(&text, "[{\"id\":\"s\",\"action\":\"log\",%s},{\"id\":\"a\",\"action\":\"log\"},{\"id\":\"b\",\"action\":\"wait\"}]",
		    cases[i].members);
		assert_non_null(m = parse(text.data, NULL));
		ids = after(manifest_find(m, "s"));
		assert_string_equal(ids, cases[i].want);
		free(ids);
		manifest_free(m);
		fl_buf_release(&text);
	}
}

static void
variables_that_are_needed_must_be_set(FL_UNUSED void **state)
{
	static const char text[] = "[{\"id\":\"a\",\"action\":\"log\",\"needs_env\":[\"MANIFEST_TEST\"]}]";
	static const char *const values[] = { NULL, "", "set" };

	for (size_t i = 0; i < fl_nitems(values); i++) {
		struct fl_err err = { 0 };
		struct manifest *m;

		unsetenv("MANIFEST_TEST");
		if (values[i] != NULL)
			setenv("MANIFEST_TEST", values[i], 1);
		m = parse(text, &err);
		assert_int_equal(m != NULL, i == 2);
		if (m == NULL)
			assert_non_null(strstr(err.msg, "step a: MANIFEST_TEST is not set: give it to bootstrap, as docker run -e MANIFEST_TEST=VALUE"));
		manifest_free(m);
	}
	unsetenv("MANIFEST_TEST");
}

static void
steps_keep_the_order_of_the_file(FL_UNUSED void **state)
{
	struct manifest *m = parse("[{\"id\":\"z\",\"action\":\"log\"},{\"id\":\"a\",\"action\":\"gen-random\"}]", NULL);

	assert_non_null(m);
	assert_int_equal(m->n, 2);
	assert_string_equal(m->steps[0]->id, "z");
	assert_string_equal(m->steps[1]->id, "a");
	assert_string_equal(m->steps[1]->action->name, "gen-random");
	assert_null(manifest_find(m, "b"));
	manifest_free(m);
}

static void
the_manifest_of_the_image_is_a_good_one(FL_UNUSED void **state)
{
	struct fl_err err = { 0 };
	struct manifest *m;

	setenv("CONTROLLER_DOMAIN", "localhost", 1);
	if ((m = manifest_read(NULL, "bootstrap/manifest.json", &err)) == NULL)
		print_error("%s\n", err.msg);
	assert_non_null(m);
	assert_non_null(manifest_find(m, "log-complete"));
	manifest_free(m);
}

static void
a_file_that_cannot_be_used_is_named(FL_UNUSED void **state)
{
	char path[] = "/tmp/manifest_test.XXXXXX";
	struct fl_err err = { 0 };
	int fd;

	assert_null(manifest_read(NULL, "/nonexistent/manifest.json", &err));
	assert_string_equal(err.msg, "open the manifest /nonexistent/manifest.json: No such file or directory");
	assert_null(manifest_read(NULL, "/tmp", &err));
	assert_string_equal(err.msg, "read the manifest /tmp: Is a directory");
	assert_int_not_equal(fd = mkstemp(path), -1);
	assert_int_equal(write(fd, "[]", 2), 2);
	assert_null(manifest_read(NULL, path, &err));
	assert_non_null(strstr(err.msg, path));
	close(fd);
	unlink(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_manifests_are_refused_with_a_sentence),
		cmocka_unit_test(a_step_comes_after_what_it_names_in_any_way),
		cmocka_unit_test(variables_that_are_needed_must_be_set),
		cmocka_unit_test(steps_keep_the_order_of_the_file),
		cmocka_unit_test(the_manifest_of_the_image_is_a_good_one),
		cmocka_unit_test(a_file_that_cannot_be_used_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
