#include "controller/process_type.h"

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
#include "libflynn/xmalloc.h"

static struct fl_json *
parse(const char *text)
{
	struct fl_json *v = fl_json_parse(text, strlen(text), NULL);

	assert_non_null(v);
	return v;
}

static void
types_are_stored_as_they_came_but_for_ports(FL_UNUSED void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "null", "{}" },
		{ "{}", "{}" },
		{ "{\"web\":{}}", "{\"web\":{}}" },
		{ "{\"b\":{\"cmd\":[\"x\"],\"new\":{\"z\":1,\"a\":[null]}},\"a\":{\"data\":true}}",
		    "{\"b\":{\"cmd\":[\"x\"],\"new\":{\"z\":1,\"a\":[null]}},\"a\":{\"data\":true}}" },
		{ "{\"web\":{\"ports\":[{\"port\":80},{\"proto\":\"udp\",\"service\":{\"name\":\"x\"}}]}}",
		    "{\"web\":{\"ports\":[{\"port\":80,\"proto\":\"\",\"range_end\":0},"
		    "{\"port\":0,\"proto\":\"udp\",\"range_end\":0,\"service\":{\"name\":\"x\"}}]}}" },
		{ "{\"web\":{\"ports\":{\"tcp\":2,\"udp\":1},\"omni\":false}}",
		    "{\"web\":{\"ports\":[{\"port\":0,\"proto\":\"tcp\",\"range_end\":0},{\"port\":0,\"proto\":\"tcp\",\"range_end\":0},"
		    "{\"port\":0,\"proto\":\"udp\",\"range_end\":0}],\"omni\":false}}" },
		{ "{\"w\":{\"cmd\":[\"a\"],\"ports\":{}}}", "{\"w\":{\"cmd\":[\"a\"]}}" },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct fl_json *v = parse(cases[i].in);
		struct fl_buf out = { 0 };

		assert_int_equal(process_type_store(v, &out, NULL), 0);
		assert_string_equal(fl_buf_cstr(&out), cases[i].out);
		fl_buf_release(&out);
		fl_json_free(v);
	}
}

#define SERVICE(json) "{\"web\":{\"ports\":[{\"service\":" json "}]}}"
#define CHECK(json) SERVICE("{\"name\":\"x\",\"check\":" json "}")

static void
wrong_types_are_refused_with_the_name(FL_UNUSED void **state)
{
	static const struct {
		const char *in, *says;
	} cases[] = {
		{ "[]", "must be an object" },
		{ "{\"\":{}}", "is no name" },
		{ "{\"we b\":{}}", "\"we b\" is no name" },
		{ "{\"../x\":{}}", "is no name" },
		{ "{\"web\":1}", "process type web: it must be an object" },
		{ "{\"web\":{\"cmd\":\"start web\"}}", "web: cmd must be an array of strings" },
		{ "{\"web\":{\"args\":[1]}}", "web: args must be an array of strings" },
		{ "{\"web\":{\"entrypoint\":{}}}", "web: entrypoint must be" },
		{ "{\"web\":{\"env\":{\"A\":1}}}", "web: env must be an object of strings, and \"A\" is none" },
		{ "{\"web\":{\"omni\":\"yes\"}}", "web: omni must be true or false" },
		{ "{\"web\":{\"ports\":80}}", "web: ports must be an array" },
		{ "{\"web\":{\"ports\":[80]}}", "web: a port must be an object" },
		{ "{\"web\":{\"ports\":[{\"port\":65536}]}}", "web: " },
		{ "{\"web\":{\"ports\":[{\"port\":1.5}]}}", "web: " },
		{ "{\"web\":{\"ports\":[{\"proto\":\"sctp\"}]}}", "web: proto must be tcp or udp" },
		{ "{\"web\":{\"ports\":{\"tcp\":-1}}}", "web: " },
		{ SERVICE("7"), "web: a service must be a name or an object" },
		{ SERVICE("{\"name\":7}"), "web: " },
		{ CHECK("[]"), "web: a check must be an object" },
		{ CHECK("{\"type\":\"ping\"}"), "web: a check is tcp, http or none, and not \"ping\"" },
		{ CHECK("{\"path\":\"up\"}"), "web: a check's path begins with / and has no blanks" },
		{ CHECK("{\"path\":\"/u p\"}"), "web: a check's path begins with / and has no blanks" },
		{ CHECK("{\"status\":600}"), "web: " },
		{ CHECK("{\"timeout_s\":\"30\"}"), "web: " },
		{ CHECK("{\"timeout_s\":3601}"), "web: " },
		{ "{\"web\":{\"volumes\":{}}}", "web: volumes must be an array" },
		{ "{\"web\":{\"resources\":[]}}", "web: resources must be an object" },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct fl_json *v = parse(cases[i].in);
		struct fl_buf out = { 0 };
		struct fl_err err = { 0 };

		assert_int_equal(process_type_store(v, &out, &err), -1);
		assert_int_equal(err.kind, FL_ERR_INVALID);
		assert_non_null(strstr(err.msg, cases[i].says));
		fl_buf_release(&out);
		fl_json_free(v);
	}
}

static void
counts_are_of_known_types_and_not_negative(FL_UNUSED void **state)
{
	static const struct {
		const char *counts, *types, *says; /* NULL: accepted */
	} cases[] = {
		{ "null", "{}", NULL },
		{ "{}", "{\"web\":{}}", NULL },
		{ "{\"web\":3,\"worker\":0}", "{\"web\":{},\"worker\":{}}", NULL },
		{ "{\"web\":10000}", "{\"web\":{}}", NULL },
		{ "[]", "{\"web\":{}}", "must be an object" },
		{ "{\"foo\":1}", "{\"web\":{},\"worker\":{}}", "\"foo\" is no process type of the release: it has web, worker" },
		{ "{\"foo\":0}", "{\"web\":{}}", "\"foo\" is no process type" },
		{ "{\"web\":1}", "{}", "it has none, so push code first" },
		{ "{\"web\":-1}", "{\"web\":{}}", "web cannot be -1" },
		{ "{\"web\":10001}", "{\"web\":{}}", "web must be a whole number" },
		{ "{\"web\":1.5}", "{\"web\":{}}", "web must be a whole number" },
		{ "{\"release\":0}", "{\"release\":{}}", NULL },
		{ "{\"release\":1}", "{\"release\":{}}", "release cannot be scaled" },
		{ "{\"web\":\"3\"}", "{\"web\":{}}", "web must be a whole number" },
		{ "{\"web\":1e30}", "{\"web\":{}}", "web must be a whole number" },
		{ "{\"web\":null}", "{\"web\":{}}", "web must be a whole number" },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct fl_json *counts = parse(cases[i].counts), *types = parse(cases[i].types);
		struct fl_err err = { 0 };

		assert_int_equal(process_type_check_counts(counts, types, &err), cases[i].says == NULL ? 0 : -1);
		if (cases[i].says != NULL)
			assert_non_null(strstr(err.msg, cases[i].says));
		fl_json_free(counts);
		fl_json_free(types);
	}
}

static void
protected_apps_keep_one_of_each(FL_UNUSED void **state)
{
	static const struct {
		const char *counts;
		int want;
	} cases[] = {
		{ "{\"web\":1,\"worker\":2}", 0 }, { "{\"web\":1}", -1 }, { "{\"web\":1,\"worker\":0}", -1 }, { "null", -1 },
	};
	struct fl_json *types = parse("{\"web\":{},\"worker\":{}}");

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct fl_json *counts = parse(cases[i].counts);

		assert_int_equal(process_type_check_protected(counts, types, NULL), cases[i].want);
		fl_json_free(counts);
	}
	fl_json_free(types);
}

static void
the_longest_check_counts(FL_UNUSED void **state)
{
	static const struct {
		const char *ports;
		int want;
	} cases[] = {
		{ "[]", 0 }, { "[{\"service\":\"x\"}]", 0 }, { "[{\"service\":{\"check\":{\"type\":\"tcp\"}}}]", 0 },
		{ "[{\"service\":{\"check\":{\"timeout_s\":7}}},{\"service\":{\"check\":{\"timeout_s\":300}}},{}]", 300 },
		/* Of a release that is older than the rules. */
		{ "[{\"service\":{\"check\":{\"timeout_s\":\"x\"}}},{\"service\":{\"check\":{\"timeout_s\":1e9}}}]", 0 },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		char *text = fl_xasprintf("{\"ports\":%s}", cases[i].ports);
		struct fl_json *v = parse(text);

		assert_int_equal(process_type_check_timeout_s(v), cases[i].want);
		fl_json_free(v);
		free(text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(types_are_stored_as_they_came_but_for_ports),
		cmocka_unit_test(wrong_types_are_refused_with_the_name),
		cmocka_unit_test(the_longest_check_counts),
		cmocka_unit_test(counts_are_of_known_types_and_not_negative),
		cmocka_unit_test(protected_apps_keep_one_of_each),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
