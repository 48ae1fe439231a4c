#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "discoverd/instance.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/json.h"

static struct instance *
parse(const char *text, struct fl_err *err)
{
	struct fl_json *v = fl_json_parse(text, strlen(text), NULL);
	struct instance *i = instance_parse(v, err);

	fl_json_free(v);
	return i;
}

static void
bad_instances_are_refused_with_a_sentence(FL_UNUSED void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "[]", "must be a JSON object" },
		{ "{}", "addr must be ip:port" },
		{ "{\"addr\":1}", "addr" },
		{ "{\"addr\":\"10.0.0.1\"}", "addr must be ip:port" },
		{ "{\"addr\":\":80\"}", "addr must be ip:port" },
		{ "{\"addr\":\"10.0.0.1:0\"}", "addr must be ip:port" },
		{ "{\"addr\":\"10.0.0.1:65536\"}", "addr must be ip:port" },
		{ "{\"addr\":\"10.0.0.1:80\",\"proto\":\"TCP\"}", "proto must be" },
		{ "{\"addr\":\"10.0.0.1:80\",\"proto\":\"\"}", "proto must be" },
		{ "{\"addr\":\"10.0.0.1:80\",\"id\":\"abc\"}", "id must be the hex MD5" },
		{ "{\"addr\":\"10.0.0.1:80\",\"meta\":[]}", "meta" },
		{ "{\"addr\":\"10.0.0.1:80\",\"meta\":{\"a\":1}}", "meta must be an object of strings" },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct fl_err err = { 0 };

		if (parse(cases[i].text, &err) != NULL || err.kind != FL_ERR_INVALID || strstr(err.msg, cases[i].says) == NULL)
			fail_msg("%s: %s", cases[i].text, err.msg);
	}
}

static void
the_id_is_the_md5_of_proto_and_addr(FL_UNUSED void **state)
{
	struct instance *i = parse("{\"addr\":\"10.0.0.1:80\",\"id\":\"e15086afcc9b0dda9e8d8cb223ff8556\"}", NULL), *copy;

	assert_non_null(i);
	assert_string_equal(i->proto, "tcp");
	copy = instance_dup(i);
	assert_true(instance_eq(i, copy));
	instance_free(copy);
	instance_free(i);
}

static void
it_is_written_as_it_was_read(FL_UNUSED void **state)
{
	static const char text[] = "{\"id\":\"e15086afcc9b0dda9e8d8cb223ff8556\",\"addr\":\"10.0.0.1:80\",\"proto\":\"tcp\",\"meta\":{\"a\":\"b\"}}";
	struct instance *i = parse(text, NULL);
	struct fl_buf b = { 0 };
	struct fl_jsonw w = fl_jsonw(&b);

	assert_non_null(i);
	instance_write(i, &w, NULL);
	assert_string_equal(fl_buf_cstr(&b), text);
	fl_buf_release(&b);
	instance_free(i);
}

static void
meta_is_bounded(FL_UNUSED void **state)
{
	struct fl_buf b = { 0 };
	struct fl_err err = { 0 };

	fl_buf_addstr(&b, "{\"addr\":\"10.0.0.1:80\",\"meta\":{\"a\":\"");
	for (unsigned i = 0; i < INSTANCE_META_MAX_BYTES; i++)
		fl_buf_addc(&b, 'x');
	fl_buf_addstr(&b, "\"}}");
	assert_null(parse(b.data, &err));
	assert_int_equal(err.kind, FL_ERR_TOO_BIG);
	fl_buf_release(&b);
}

static void
service_names_are_checked(FL_UNUSED void **state)
{
	static const struct {
		const char *name;
		int want;
	} cases[] = { { "web", 0 }, { "my-app-2-web", 0 }, { "", -1 }, { "Web", -1 }, { "a_b", -1 }, { "a.b", -1 }, { "a/b", -1 } };

	for (size_t i = 0; i < fl_nitems(cases); i++)
		assert_int_equal(service_name_check(cases[i].name, NULL), cases[i].want);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_instances_are_refused_with_a_sentence),
		cmocka_unit_test(the_id_is_the_md5_of_proto_and_addr),
		cmocka_unit_test(it_is_written_as_it_was_read),
		cmocka_unit_test(meta_is_bounded),
		cmocka_unit_test(service_names_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
