#include "bootstrap/template.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/json.h"

/* The step "key" has published Data, the step "cert" Pin, and no other step anything. */
static const char *
lookup(const char *step, const char *field, FL_UNUSED void *arg)
{
	if (strcmp(step, "key") == 0 && strcmp(field, "Data") == 0)
		return "s3cret";
	if (strcmp(step, "cert") == 0 && strcmp(field, "Pin") == 0)
		return "p\"in";
	return NULL;
}

static int
set_environment(FL_UNUSED void **state)
{
	setenv("TEMPLATE_SET", "value", 1);
	unsetenv("TEMPLATE_UNSET");
	return 0;
}

static void
expressions_give_way_to_their_values(FL_UNUSED void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "", "" },
		{ "no template", "no template" },
		{ "{ one { brace }", "{ one { brace }" },
		{ "closed }} only", "closed }} only" },
		{ "{{ getenv \"TEMPLATE_SET\" }}", "value" },
		{ "{{getenv \"TEMPLATE_SET\"}}", "value" },
		{ "a {{ getenv \"TEMPLATE_SET\" }} b", "a value b" },
		{ "{{ getenv \"TEMPLATE_UNSET\" }}", "" },
		{ "{{ (index .StepData \"key\").Data }}", "s3cret" },
		{ "{{  ( index .StepData  \"key\" ) .Data  }}", "s3cret" },
		{ "{{ (index .StepData \"key\").Data }}{{ (index .StepData \"cert\").Pin }}", "s3cretp\"in" },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct fl_buf out = { 0 };

		assert_int_equal(template_expand(cases[i].text, &out, lookup, NULL, NULL), 0);
		assert_string_equal(fl_buf_cstr(&out), cases[i].want);
		fl_buf_release(&out);
	}
}

static void
what_cannot_be_expanded_is_named(FL_UNUSED void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "x {{ getenv \"A\"", "template \"{{ getenv \"A\"\" has {{ without }}" },
		{ "{{", "template \"{{\" has {{ without }}" },
		{ "{{}}", "template {{}} is not understood: use getenv \"NAME\" or (index .StepData \"step\").Field" },
		{ "{{ getenv A }}", "template {{ getenv A }} is not understood: use getenv \"NAME\" or (index .StepData \"step\").Field" },
		{ "{{ getenv \"A }}", "template {{ getenv \"A }} is not understood: use getenv \"NAME\" or (index .StepData \"step\").Field" },
		{ "{{ getenv \"A\" | quote }}",
		    "template {{ getenv \"A\" | quote }} is not understood: use getenv \"NAME\" or (index .StepData \"step\").Field" },
		{ "{{ (index .StepData \"key\"). }}",
		    "template {{ (index .StepData \"key\"). }} is not understood: use getenv \"NAME\" or (index .StepData \"step\").Field" },
		{ "{{ (index .StepData \"key\").Pin }}", "template {{ (index .StepData \"key\").Pin }}: step key has no Pin" },
		{ "{{ (index .StepData \"other\").Data }}", "template {{ (index .StepData \"other\").Data }}: step other has no Data" },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct fl_buf out = { 0 };
		struct fl_err err = { 0 };

		assert_int_equal(template_expand(cases[i].text, &out, lookup, NULL, &err), -1);
		assert_int_equal(err.kind, FL_ERR_INVALID);
		assert_string_equal(err.msg, cases[i].want);
		fl_buf_release(&out);
	}
}

static void
every_string_of_a_value_is_expanded(FL_UNUSED void **state)
{
	static const char text[] = "{\"{{ key }}\":\"{{ getenv \\\"TEMPLATE_SET\\\" }}\",\"n\":1,\"b\":true,\"z\":null,"
				   "\"a\":[\"{{ (index .StepData \\\"cert\\\").Pin }}\",{\"deep\":\"x{{ getenv \\\"TEMPLATE_SET\\\" }}\"}]}";
	static const char want[] = "{\"{{ key }}\":\"value\",\"n\":1,\"b\":true,\"z\":null,\"a\":[\"p\\\"in\",{\"deep\":\"xvalue\"}]}";
	struct fl_json *v = fl_json_parse(text, strlen(text), NULL), *expanded = template_expand_json(v, lookup, NULL, NULL);
	struct fl_buf out = { 0 };
	struct fl_jsonw w = fl_jsonw(&out);

	assert_non_null(expanded);
	fl_jsonw_value(&w, NULL, expanded);
	assert_string_equal(fl_buf_cstr(&out), want);
	fl_buf_release(&out);
	fl_json_free(expanded);
	fl_json_free(v);
}

static void
one_bad_string_spoils_the_value(FL_UNUSED void **state)
{
	static const char text[] = "{\"a\":[\"fine\",\"{{ bad }}\"]}";
	struct fl_json *v = fl_json_parse(text, strlen(text), NULL);
	struct fl_err err = { 0 };

	assert_null(template_expand_json(v, lookup, NULL, &err));
	assert_int_equal(err.kind, FL_ERR_INVALID);
	fl_json_free(v);
}

static void
add_step(const char *step, void *arg)
{
	fl_buf_addf(arg, "%s,", step);
}

static void
the_steps_a_text_uses_are_told(FL_UNUSED void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "", "" },
		{ "{{ getenv \"A\" }}", "" },
		{ "{{ (index .StepData \"a\").X }} and {{ (index .StepData \"b\").Y }}", "a,b," },
		{ "{{ bad }}{{ (index .StepData \"a\").X }}{{", "a," },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct fl_buf steps = { 0 };

		template_steps(cases[i].text, add_step, &steps);
		assert_string_equal(fl_buf_cstr(&steps), cases[i].want);
		fl_buf_release(&steps);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(expressions_give_way_to_their_values),
		cmocka_unit_test(what_cannot_be_expanded_is_named),
		cmocka_unit_test(every_string_of_a_value_is_expanded),
		cmocka_unit_test(one_bad_string_spoils_the_value),
		cmocka_unit_test(the_steps_a_text_uses_are_told),
	};

	return cmocka_run_group_tests(tests, set_environment, NULL);
}
