/* What is kept of a domain's orders comes back as it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "router/acme_status.h"

static void
status_is_written_and_read(FL_UNUSED void **state)
{
	static const struct {
		struct acme_status s;
		const char *text;
	} cases[] = {
		{ { ACME_WAITING, 0, 0, "" }, "{\"state\":\"waiting\"}" },
		{ { ACME_VALID, 0, 1408223772, "" }, "{\"state\":\"valid\",\"next_try\":\"2014-08-16T21:16:12Z\"}" },
		{ { ACME_FAILED, 3, 1408223772, "no \"address\"" },
		    "{\"state\":\"failed\",\"failures\":3,\"next_try\":\"2014-08-16T21:16:12Z\",\"error\":\"no \\\"address\\\"\"}" },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct acme_status back = { 0 };
		struct fl_buf b = { 0 };

		acme_status_write(&cases[i].s, &b);
		assert_string_equal(fl_buf_cstr(&b), cases[i].text);
		assert_int_equal(acme_status_parse(b.data, b.len, &back), 0);
		assert_memory_equal(&back, &cases[i].s, sizeof(back));
		fl_buf_release(&b);
	}
}

static void
what_is_none_is_refused(FL_UNUSED void **state)
{
	static const char *const cases[] = { "", "[]", "{}", "{\"state\":\"odd\"}", "{\"state\":\"valid\",\"failures\":-1}",
		"{\"state\":\"valid\",\"next_try\":\"soon\"}" };

	for (size_t i = 0; i < fl_nitems(cases); i++)
		assert_int_equal(acme_status_parse(cases[i], strlen(cases[i]), &(struct acme_status){ 0 }), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(status_is_written_and_read),
		cmocka_unit_test(what_is_none_is_refused),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
