#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "controller/route_json.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/json.h"

static void
both_forms_are_read(FL_UNUSED void **state)
{
	static const struct {
		const char *in, *want;
	} cases[] = {
		{ "{}", "{\"parent_ref\":\"p\",\"config\":{}}" },
		{ "{\"type\":\"http\",\"config\":{\"domain\":\"a\"}}", "{\"parent_ref\":\"p\",\"type\":\"http\",\"config\":{\"domain\":\"a\"}}" },
		{ "{\"id\":\"x\",\"parent_ref\":\"q\",\"created_at\":\"t\",\"type\":\"http\",\"config\":{},\"domain\":\"b\"}",
		    "{\"parent_ref\":\"p\",\"type\":\"http\",\"config\":{}}" },
		{ "{\"type\":\"tcp\",\"port\":0,\"service\":\"s\",\"id\":\"x\",\"updated_at\":\"t\"}",
		    "{\"parent_ref\":\"p\",\"type\":\"tcp\",\"config\":{\"port\":0,\"service\":\"s\"}}" },
		{ "{\"type\":\"http\",\"domain\":\"a\",\"certificate\":{\"id\":\"x\",\"cert\":\"C\",\"key\":\"K\"}}",
		    "{\"parent_ref\":\"p\",\"type\":\"http\",\"config\":{\"domain\":\"a\",\"tls_cert\":\"C\",\"tls_key\":\"K\"}}" },
		{ "{\"type\":1,\"config\":[]}", "{\"parent_ref\":\"p\",\"type\":1,\"config\":[]}" }, /* the router refuses it by name */
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct fl_json *v = fl_json_parse(cases[i].in, strlen(cases[i].in), NULL);
		struct fl_buf b = { 0 };

		route_json_read(v, "p", NULL, &b);
		assert_string_equal(fl_buf_cstr(&b), cases[i].want);
		fl_buf_release(&b);
		fl_json_free(v);
	}
}

static void
both_forms_are_written(FL_UNUSED void **state)
{
	static const struct {
		const char *in, *want;
	} cases[] = {
		{ "null", "null" },
		{ "{\"id\":\"http/1\",\"type\":\"http\",\"config\":{\"domain\":\"a\",\"service\":\"s\"}}",
		    "{\"id\":\"http/1\",\"type\":\"http\",\"config\":{\"domain\":\"a\",\"service\":\"s\"},\"domain\":\"a\",\"service\":\"s\"}" },
		{ "{\"id\":\"x\",\"config\":{\"id\":\"y\"}}", "{\"id\":\"x\",\"config\":{\"id\":\"y\"}}" },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct fl_json *v = fl_json_parse(cases[i].in, strlen(cases[i].in), NULL);
		struct fl_buf b = { 0 };
		struct fl_jsonw w = fl_jsonw(&b);

		route_json_write(&w, NULL, v);
		assert_string_equal(fl_buf_cstr(&b), cases[i].want);
		fl_buf_release(&b);
		fl_json_free(v);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_forms_are_read),
		cmocka_unit_test(both_forms_are_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
