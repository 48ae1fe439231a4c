#include "libflynn/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "libflynn/attr.h"
#include "libflynn/xmalloc.h"

static void
what_is_set_is_got(FL_UNUSED void **state)
{
	struct fl_map *m = fl_map_new();
	int one = 1, two = 2;
	char key[] = "web";

	assert_null(fl_map_get(m, "web"));
	assert_null(fl_map_set(m, key, &one));
	key[0] = 'x'; /* the map has a copy */
	assert_ptr_equal(fl_map_get(m, "web"), &one);
	assert_ptr_equal(fl_map_set(m, "web", &two), &one);
	assert_ptr_equal(fl_map_get(m, "web"), &two);
	assert_int_equal(fl_map_count(m), 1);
	assert_ptr_equal(fl_map_remove(m, "web"), &two);
	assert_null(fl_map_remove(m, "web"));
	assert_int_equal(fl_map_count(m), 0);
	assert_null(fl_map_first(m));
	fl_map_free(m);
	fl_map_free(NULL);
}

static void
order_is_that_of_insertion(FL_UNUSED void **state)
{
	static const char *const keys[] = { "worker", "web", "", "clock", "a" };
	struct fl_map *m = fl_map_new();
	int value = 0;
	size_t n = 0;

	for (size_t i = 0; i < fl_nitems(keys); i++)
		fl_map_set(m, keys[i], &value);
	fl_map_set(m, "web", &n); /* replacing moves nothing */
	FL_MAP_EACH (m, e)
		assert_string_equal(fl_map_key(e), keys[n++]);
	assert_int_equal(n, fl_nitems(keys));
	fl_map_free(m);
}

static void
the_current_entry_may_be_removed_in_a_loop(FL_UNUSED void **state)
{
	struct fl_map *m = fl_map_new();
	char key[16];
	size_t seen = 0;

	for (int i = 0; i < 1000; i++) {
		snprintf(key, sizeof(key), "%d", i);
		free(fl_map_set(m, key, fl_xstrdup(key)));
	}
	FL_MAP_EACH (m, e)
		if (seen++ % 3 != 0)
			free(fl_map_remove(m, fl_map_key(e)));
	assert_int_equal(seen, 1000);
	assert_int_equal(fl_map_count(m), 334);
	FL_MAP_EACH (m, e)
		assert_string_equal(fl_map_key(e), fl_map_value(e));
	assert_string_equal(fl_map_get(m, "999"), "999");
	fl_map_free_with(m, free);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_set_is_got),
		cmocka_unit_test(order_is_that_of_insertion),
		cmocka_unit_test(the_current_entry_may_be_removed_in_a_loop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
