#include "controller/app_name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "libflynn/attr.h"
#include "libflynn/err.h"

static void
names_are_dashed_groups(FL_UNUSED void **state)
{
	static const struct {
		const char *name;
		int want;
	} cases[] = {
		{ "example", 0 }, { "a", 0 }, { "2048", 0 }, { "a-b-c1", 0 },
		{ "", -1 }, { "-a", -1 }, { "a-", -1 }, { "a--b", -1 }, { "A", -1 }, { "a_b", -1 },
		{ "a b", -1 }, { "a.b", -1 }, { "\xc3\xa4", -1 }, { "../x", -1 },
		{ "f1e85f5392454a329929e3f27f7a5644", -1 }, { "f1e85f53-9245-4a32-9929-e3f27f7a5644", -1 },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct fl_err err = { 0 };

		assert_int_equal(app_name_check(cases[i].name, &err), cases[i].want);
		assert_int_equal(err.kind, cases[i].want == 0 ? FL_ERR_NONE : FL_ERR_INVALID);
	}
}

static void
length_ends_at_the_limit(FL_UNUSED void **state)
{
	char name[APP_NAME_MAX + 2];

	memset(name, 'a', sizeof(name));
	name[APP_NAME_MAX] = '\0';
	assert_int_equal(app_name_check(name, NULL), 0);
	name[APP_NAME_MAX] = 'a';
	name[APP_NAME_MAX + 1] = '\0';
	assert_int_equal(app_name_check(name, NULL), -1);
}

static void
generated_names_are_valid_and_differ(FL_UNUSED void **state)
{
	char *names[64];

	for (uint32_t n = 0; n < fl_nitems(names); n++) {
		names[n] = app_name_generate(NULL, n + 1);
		assert_int_equal(app_name_check(names[n], NULL), 0);
		for (uint32_t i = 0; i < n; i++)
			assert_string_not_equal(names[i], names[n]);
	}
	for (size_t n = 0; n < fl_nitems(names); n++)
		free(names[n]);
}

static void
seed_changes_the_order(FL_UNUSED void **state)
{
	static const char *const seeds[] = { "00010203040506070809", "ff", "no hex" };
	char *zero = app_name_generate(NULL, 1);
	char *same = app_name_generate("00000000000000000000", 1);

	assert_string_equal(zero, same);
	for (size_t i = 0; i < 2; i++) {
		char *other = app_name_generate(seeds[i], 1);

		assert_string_not_equal(zero, other);
		free(other);
	}
	free(same);
	same = app_name_generate(seeds[2], 1);
	assert_string_equal(zero, same);
	free(same);
	free(zero);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_dashed_groups),
		cmocka_unit_test(length_ends_at_the_limit),
		cmocka_unit_test(generated_names_are_valid_and_differ),
		cmocka_unit_test(seed_changes_the_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
