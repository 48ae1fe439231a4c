#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "host/restore.h"
#include "libflynn/attr.h"

static void
the_verdict_follows_from_the_facts(void **state)
{
	static const struct {
		struct restore_facts facts;
		enum restore_verdict want;
	} cases[] = {
		/* wanted, once, bound, has_container, running */
		{ { true, false, false, true, true }, RESTORE_ADOPT },
		{ { true, false, false, true, false }, RESTORE_LAUNCH },
		{ { true, false, false, false, false }, RESTORE_LAUNCH },
		{ { false, false, false, true, true }, RESTORE_STOP },
		{ { false, false, false, true, false }, RESTORE_ENDED },
		{ { false, false, false, false, false }, RESTORE_LOST },
		/* Somebody's run goes on, but is never run twice. */
		{ { true, true, false, true, true }, RESTORE_ADOPT },
		{ { true, true, false, true, false }, RESTORE_ENDED },
		{ { true, true, false, false, false }, RESTORE_LOST },
		/* A build whose pusher is gone. */
		{ { true, true, true, true, true }, RESTORE_STOP },
		{ { true, true, true, true, false }, RESTORE_ENDED },
	};

	(void)state;
	for (size_t i = 0; i < fl_nitems(cases); i++)
		assert_int_equal(restore_decide(&cases[i].facts), cases[i].want);
}

/* Whatever is found: what is not wanted is never launched, and what runs is never launched again. */
static void
nothing_is_launched_twice_or_unwanted(void **state)
{
	(void)state;
	for (int bits = 0; bits < 32; bits++) {
		const struct restore_facts f = {
			(bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0, (bits & 24) != 0, (bits & 16) != 0
		};
		enum restore_verdict v = restore_decide(&f);

		if (v == RESTORE_LAUNCH)
			assert_true(f.wanted && !f.running && !f.once);
		if (f.running)
			assert_true(v == RESTORE_ADOPT || v == RESTORE_STOP);
		if (v == RESTORE_ENDED || v == RESTORE_STOP || v == RESTORE_ADOPT)
			assert_true(f.has_container);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_verdict_follows_from_the_facts),
		cmocka_unit_test(nothing_is_launched_twice_or_unwanted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
