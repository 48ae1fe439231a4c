#include "controller/skip32.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "libflynn/attr.h"

/* The example of the author's own program. */
static void
known_answer_is_met(FL_UNUSED void **state)
{
	static const unsigned char key[SKIP32_KEY_LEN] = { 0x00, 0x99, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11 };

	assert_int_equal(skip32_encrypt(key, 0x33221100), 0x819d5f1f);
}

static void
different_numbers_stay_different(FL_UNUSED void **state)
{
	static const unsigned char key[SKIP32_KEY_LEN] = { 0 };
	uint32_t seen[512];

	for (uint32_t n = 0; n < fl_nitems(seen); n++) {
		seen[n] = skip32_encrypt(key, n);
		for (uint32_t i = 0; i < n; i++)
			assert_int_not_equal(seen[i], seen[n]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_answer_is_met),
		cmocka_unit_test(different_numbers_stay_different),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
