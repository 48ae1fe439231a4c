#include "libflynn/uuid.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "libflynn/attr.h"

static void
new_ids_are_of_version_4_and_differ(FL_UNUSED void **state)
{
	char before[FL_UUID_LEN + 1] = "", id[FL_UUID_LEN + 1], parsed[FL_UUID_LEN + 1];

	for (int i = 0; i < 1000; i++) {
		fl_uuid_new(id);
		assert_int_equal(strspn(id, "0123456789abcdef"), FL_UUID_LEN);
		assert_int_equal(id[12], '4');
		assert_non_null(strchr("89ab", id[16]));
		assert_string_not_equal(id, before);
		assert_true(fl_uuid_parse(id, parsed));
		assert_string_equal(id, parsed);
		memcpy(before, id, sizeof(id));
	}
}

static void
both_forms_are_read(FL_UNUSED void **state)
{
	static const char *const cases[] = {
		"f1e85f5392454a329929e3f27f7a5644",
		"f1e85f53-9245-4a32-9929-e3f27f7a5644",
		"F1E85F53-9245-4A32-9929-E3F27F7A5644",
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		char out[FL_UUID_LEN + 1];

		assert_true(fl_uuid_parse(cases[i], out));
		assert_string_equal(out, "f1e85f5392454a329929e3f27f7a5644");
	}
}

static void
other_text_is_no_id(FL_UNUSED void **state)
{
	static const char *const cases[] = {
		"", "-", "f1e85f5392454a329929e3f27f7a564", "f1e85f5392454a329929e3f27f7a56444",
		"f1e85f5392454a329929e3f27f7a564g", "f1e85f53-92454a329929e3f27f7a5644",
		"f1e85f539-245-4a32-9929-e3f27f7a5644", "f1e85f53-9245-4a32-9929-e3f27f7a564-",
		"f1e85f53-9245-4a32-9929-e3f27f7a56445", "----f1e85f5392454a329929e3f27f7a5644",
		"{1e85f5392454a329929e3f27f7a5644}",
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		char out[FL_UUID_LEN + 1];

		assert_false(fl_uuid_parse(cases[i], out));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(new_ids_are_of_version_4_and_differ),
		cmocka_unit_test(both_forms_are_read),
		cmocka_unit_test(other_text_is_no_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
