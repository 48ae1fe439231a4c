/* Routes as JSON: what is taken, what is refused, what is shown. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/json.h"
#include "router/route.h"

static struct route *
parse(const char *text, struct fl_err *err)
{
	struct fl_json *v = fl_json_parse(text, strlen(text), err);
	struct route *r = v != NULL ? route_parse(v, err) : NULL;

	fl_json_free(v);
	return r;
}

static void
route_is_read_and_written(FL_UNUSED void **state)
{
	/* The ids are the MD5 of "www.example.com", "*.example.com", "www.example.com/api" and "2222". */
	static const struct {
		const char *in, *api, *etcd, *key;
	} cases[] = {
		{ "{\"type\":\"http\",\"config\":{\"domain\":\"WWW.Example.com\",\"service\":\"example-web\"},\"parent_ref\":\"controller/apps/1\"}",
		    "{\"id\":\"http/7c1767b30512b6003fd3c2e618a86522\",\"parent_ref\":\"controller/apps/1\",\"type\":\"http\","
		    "\"config\":{\"domain\":\"www.example.com\",\"service\":\"example-web\"}}",
		    "{\"id\":\"7c1767b30512b6003fd3c2e618a86522\",\"parent_ref\":\"controller/apps/1\",\"type\":\"http\","
		    "\"config\":{\"domain\":\"www.example.com\",\"service\":\"example-web\"}}",
		    "www.example.com" },
		{ "{\"type\":\"http\",\"unknown\":1,\"config\":{\"domain\":\"*.example.com\",\"service\":\"w\",\"sticky\":true,"
		  "\"tls_cert\":\"C\",\"tls_key\":\"K\"},\"created_at\":\"2014-08-16T21:16:12Z\",\"updated_at\":\"2014-08-16T21:16:13Z\"}",
		    "{\"id\":\"http/a3d28804053137b19544b7caa76c2baa\",\"type\":\"http\",\"config\":{\"domain\":\"*.example.com\","
		    "\"service\":\"w\",\"tls_cert\":\"C\",\"sticky\":true},\"created_at\":\"2014-08-16T21:16:12Z\","
		    "\"updated_at\":\"2014-08-16T21:16:13Z\"}",
		    "{\"id\":\"a3d28804053137b19544b7caa76c2baa\",\"type\":\"http\",\"config\":{\"domain\":\"*.example.com\","
		    "\"service\":\"w\",\"tls_cert\":\"C\",\"tls_key\":\"K\",\"sticky\":true},\"created_at\":\"2014-08-16T21:16:12Z\","
		    "\"updated_at\":\"2014-08-16T21:16:13Z\"}",
		    "*.example.com" },
		{ "{\"type\":\"http\",\"config\":{\"domain\":\"www.example.com\",\"path\":\"/api/\",\"service\":\"w\",\"leader\":true,"
		  "\"redirect_https\":true,\"maintenance\":true,\"maintenance_text\":\"soon\",\"sticky\":false}}",
		    "{\"id\":\"http/ea9c5b2ab3c1e2fa6155f38df8ebe1d6\",\"type\":\"http\",\"config\":{\"domain\":\"www.example.com\","
		    "\"path\":\"/api\",\"service\":\"w\",\"leader\":true,\"redirect_https\":true,\"maintenance\":true,\"maintenance_text\":\"soon\"}}",
		    "{\"id\":\"ea9c5b2ab3c1e2fa6155f38df8ebe1d6\",\"type\":\"http\",\"config\":{\"domain\":\"www.example.com\","
		    "\"path\":\"/api\",\"service\":\"w\",\"leader\":true,\"redirect_https\":true,\"maintenance\":true,\"maintenance_text\":\"soon\"}}",
		    "www.example.com" },
		{ "{\"type\":\"tcp\",\"config\":{\"port\":2222,\"service\":\"gitreceive\"}}",
		    "{\"id\":\"tcp/934b535800b1cba8f96a5d72f72f1611\",\"type\":\"tcp\",\"config\":{\"port\":2222,\"service\":\"gitreceive\"}}",
		    "{\"id\":\"934b535800b1cba8f96a5d72f72f1611\",\"type\":\"tcp\",\"config\":{\"port\":2222,\"service\":\"gitreceive\"}}",
		    ":2222" },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct fl_err err = { 0 };
		struct route *r = parse(cases[i].in, &err);
		struct fl_buf api = { 0 }, etcd = { 0 };
		char *key;

		if (r == NULL)
			fail_msg("%s: %s", cases[i].in, err.msg);
		route_write(r, &api, false);
		route_write(r, &etcd, true);
		key = route_key(r);
		assert_string_equal(fl_buf_cstr(&api), cases[i].api);
		assert_string_equal(fl_buf_cstr(&etcd), cases[i].etcd);
		assert_string_equal(key, cases[i].key);
		fl_buf_release(&api);
		fl_buf_release(&etcd);
		free(key);
		route_free(r);
	}
}

static void
what_is_wrong_is_said(FL_UNUSED void **state)
{
	static const struct {
		const char *in, *why;
	} cases[] = {
		{ "[]", "a route is a JSON object" },
		{ "{}", "Invalid route type" },
		{ "{\"type\":\"udp\"}", "Invalid route type" },
		{ "{\"type\":\"http\"}", "an HTTP route needs a domain" },
		{ "{\"type\":\"http\",\"config\":{\"domain\":\"a\"}}", "a route needs a service" },
		{ "{\"type\":\"http\",\"config\":{\"domain\":\"a b\",\"service\":\"x\"}}", "domain: \"a b\" is no host name" },
		{ "{\"type\":\"http\",\"config\":{\"domain\":\"a:80\",\"service\":\"x\"}}", "domain: \"a:80\" is no host name" },
		{ "{\"type\":\"http\",\"config\":{\"domain\":\"a..b\",\"service\":\"x\"}}", "domain: \"a..b\" is no host name" },
		{ "{\"type\":\"http\",\"config\":{\"domain\":\"a..\",\"service\":\"x\"}}", "domain: \"a..\" is no host name" },
		{ "{\"type\":\"http\",\"config\":{\"domain\":\"*\",\"service\":\"x\"}}", "domain: \"*\" is no host name" },
		{ "{\"type\":\"http\",\"config\":{\"domain\":\"a.*.b\",\"service\":\"x\"}}", "domain: \"a.*.b\" is no host name" },
		{ "{\"type\":\"http\",\"config\":{\"domain\":\"a\",\"service\":\"x/y\"}}", "service: \"x/y\" is no service name" },
		{ "{\"type\":\"http\",\"config\":{\"domain\":\"a\",\"service\":\"x\",\"tls_cert\":\"C\"}}",
		    "tls_cert and tls_key are needed both, or neither" },
		{ "{\"type\":\"tcp\",\"config\":{\"port\":0}}", "a route needs a service" },
		{ "{\"type\":\"http\",\"config\":{\"domain\":\"a\",\"service\":\"x\",\"path\":\"/a b\"}}",
		    "path: \"/a b\" is no path prefix: it begins with \"/\", is written without percent-encoding, and has no empty, "
		    "\".\" or \"..\" segment and none of ? # % ; \\ < > \" nor a space" },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct fl_err err = { 0 };

		assert_null(parse(cases[i].in, &err));
		assert_int_equal(err.kind, FL_ERR_INVALID);
		assert_string_equal(err.msg, cases[i].why);
	}
}

static char *
written(const struct route *r, bool for_etcd)
{
	struct fl_buf b = { 0 };

	route_write(r, &b, for_etcd);
	return fl_buf_detach(&b);
}

static void
certificate_knows_whose_it_is(FL_UNUSED void **state)
{
	static const char start[] = "{\"type\":\"http\",\"config\":{\"domain\":\"a.b\",\"service\":\"x\",\"auto_tls\":true";
	char text[512];
	struct route *bare, *got, *again, *own;
	struct fl_json *v;
	char *etcd, *api;

	snprintf(text, sizeof(text), "%s}}", start);
	bare = parse(text, NULL);
	assert_true(bare->auto_tls && !bare->is_cert_auto && bare->tls_cert == NULL);
	got = route_with_cert(bare, "C", "K");
	assert_true(got->is_cert_auto);
	/* As it is stored, all of it comes back; as the API tells it, the certificate is not taken for somebody's own. */
	etcd = written(got, true);
	api = written(got, false);
	again = parse(etcd, NULL);
	assert_true(again->is_cert_auto && again->auto_tls);
	assert_string_equal(again->tls_key, "K");
	route_free(again);
	assert_null(strstr(api, "\"K\""));
	again = parse(api, NULL);
	assert_non_null(again);
	assert_true(again->auto_tls && !again->is_cert_auto && again->tls_cert == NULL);
	route_keep_cert(again, got);
	assert_true(again->is_cert_auto);
	assert_string_equal(again->tls_cert, "C");
	route_free(again);
	/* One of the owner's is the owner's, and is not kept for a route that has none. */
	snprintf(text, sizeof(text), "%s,\"tls_cert\":\"O\",\"tls_key\":\"P\"}}", start);
	own = parse(text, NULL);
	assert_false(own->is_cert_auto);
	route_keep_cert(own, got);
	assert_string_equal(own->tls_cert, "O");
	route_keep_cert(bare, own);
	assert_null(bare->tls_cert);
	v = fl_json_parse(text, strlen(text), NULL);
	again = route_update(got, v, NULL);
	assert_false(again->is_cert_auto);
	route_free(again);
	fl_json_free(v);
	/* Other changes leave it. */
	v = fl_json_parse("{\"config\":{\"auto_tls\":false}}", 29, NULL);
	again = route_update(got, v, NULL);
	assert_true(again->is_cert_auto && !again->auto_tls);
	fl_json_free(v);
	route_free(again);
	route_free(own);
	route_free(got);
	route_free(bare);
	free(etcd);
	free(api);
}

static void
no_certificate_is_got_for_what_is_no_host(FL_UNUSED void **state)
{
	static const char *const domains[] = { "*.example.com", "1.2.3.4" };

	for (size_t i = 0; i < fl_nitems(domains); i++) {
		struct fl_err err = { 0 };
		char text[256];

		snprintf(text, sizeof(text), "{\"type\":\"http\",\"config\":{\"domain\":\"%s\",\"service\":\"x\",\"auto_tls\":true}}", domains[i]);
		assert_null(parse(text, &err));
		assert_non_null(strstr(err.msg, "auto_tls: no certificate can be got for"));
	}
}

static void
wrong_types_are_refused(FL_UNUSED void **state)
{
	static const char *const cases[] = {
		"{\"type\":1}",
		"{\"type\":\"http\",\"config\":[]}",
		"{\"type\":\"http\",\"config\":{\"domain\":1,\"service\":\"x\"}}",
		"{\"type\":\"http\",\"config\":{\"domain\":\"a\",\"service\":\"x\",\"sticky\":\"yes\"}}",
		"{\"type\":\"tcp\",\"config\":{\"port\":\"80\",\"service\":\"x\"}}",
		"{\"type\":\"tcp\",\"config\":{\"port\":65536,\"service\":\"x\"}}",
		"{\"type\":\"tcp\",\"config\":{\"port\":-1,\"service\":\"x\"}}",
		"{\"type\":\"tcp\",\"config\":{\"port\":1.5,\"service\":\"x\"}}",
		"{\"type\":\"tcp\",\"parent_ref\":{},\"config\":{\"port\":1,\"service\":\"x\"}}",
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct fl_err err = { 0 };

		assert_null(parse(cases[i], &err));
		assert_int_equal(err.kind, FL_ERR_INVALID);
		assert_true(strlen(err.msg) > 0);
	}
}

static void
update_replaces_what_it_names(FL_UNUSED void **state)
{
	static const char base[] = "{\"type\":\"http\",\"parent_ref\":\"p\",\"config\":{\"domain\":\"a.com\",\"path\":\"/x\",\"service\":\"w\","
				   "\"tls_cert\":\"C\",\"tls_key\":\"K\",\"sticky\":true},\"created_at\":\"2014-08-16T21:16:12Z\"}";
	static const struct {
		const char *in, *want; /* of config as etcd has it; or the sentence */
	} cases[] = {
		{ "{}", "\"domain\":\"a.com\",\"path\":\"/x\",\"service\":\"w\",\"tls_cert\":\"C\",\"tls_key\":\"K\",\"sticky\":true}" },
		{ "{\"config\":{\"sticky\":false,\"service\":\"v\"}}",
		    "\"domain\":\"a.com\",\"path\":\"/x\",\"service\":\"v\",\"tls_cert\":\"C\",\"tls_key\":\"K\"}" },
		{ "{\"type\":\"http\",\"config\":{\"domain\":\"A.com\",\"path\":\"/x/\",\"tls_cert\":\"\",\"tls_key\":\"\",\"leader\":null}}",
		    "\"domain\":\"a.com\",\"path\":\"/x\",\"service\":\"w\",\"sticky\":true}" },
		{ "{\"parent_ref\":\"q\",\"config\":{\"maintenance_text\":\"t\"}}", "\"sticky\":true,\"maintenance_text\":\"t\"}" },
		{ "{\"config\":{\"domain\":\"b.com\"}}", "type, domain, path and port make a route what it is" },
		{ "{\"config\":{\"path\":\"/y\"}}", "type, domain, path and port make a route what it is" },
		{ "{\"config\":{\"path\":\"\"}}", "type, domain, path and port make a route what it is" },
		{ "{\"type\":\"tcp\"}", "type, domain, path and port make a route what it is" },
		{ "{\"config\":{\"tls_cert\":\"\"}}", "tls_cert and tls_key are needed both" },
		{ "{\"config\":{\"service\":\"\"}}", "a route needs a service" },
		{ "{\"config\":{\"sticky\":1}}", "sticky" },
		{ "[]", "a route is a JSON object" },
	};
	struct route *old = parse(base, NULL);

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct fl_err err = { 0 };
		struct fl_json *v = fl_json_parse(cases[i].in, strlen(cases[i].in), NULL);
		struct route *r = route_update(old, v, &err);
		struct fl_buf b = { 0 };

		if (r != NULL)
			route_write(r, &b, true);
		if (strstr(r != NULL ? fl_buf_cstr(&b) : err.msg, cases[i].want) == NULL)
			fail_msg("%s: %s", cases[i].in, r != NULL ? fl_buf_cstr(&b) : err.msg);
		if (r != NULL)
			assert_string_equal(r->created_at, old->created_at);
		fl_buf_release(&b);
		fl_json_free(v);
		route_free(r);
	}
	route_free(old);
}

static void
port_is_allocated_and_times_are_stamped(FL_UNUSED void **state)
{
	struct route *r = parse("{\"type\":\"tcp\",\"config\":{\"service\":\"x\"}}", NULL);

	assert_null(r->id);
	route_set_port(r, 2222);
	assert_string_equal(r->id, "tcp/934b535800b1cba8f96a5d72f72f1611");
	route_stamp(r, NULL);
	assert_string_equal(r->created_at, r->updated_at);
	route_stamp(r, "2014-08-16T21:16:12Z");
	assert_string_equal(r->created_at, "2014-08-16T21:16:12Z");
	assert_string_not_equal(r->updated_at, r->created_at);
	route_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(route_is_read_and_written),
		cmocka_unit_test(what_is_wrong_is_said),
		cmocka_unit_test(certificate_knows_whose_it_is),
		cmocka_unit_test(no_certificate_is_got_for_what_is_no_host),
		cmocka_unit_test(wrong_types_are_refused),
		cmocka_unit_test(update_replaces_what_it_names),
		cmocka_unit_test(port_is_allocated_and_times_are_stamped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
