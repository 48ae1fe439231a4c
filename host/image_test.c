#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/image.h"
#include "libflynn/attr.h"
#include "libflynn/err.h"

static void
a_uri_names_an_image(void **state)
{
	static const struct {
		const char *uri, *ref, *name;
	} cases[] = {
		{ "https://registry.hub.docker.com/flynn/etcd", "flynn/etcd:latest", "flynn/etcd" },
		{ "https://registry.hub.docker.com/flynn/etcd?id=sha256:ab12", "sha256:ab12", "flynn/etcd" },
		{ "https://registry.hub.docker.com/flynn/etcd?tag=v1&id=ab12", "ab12", "flynn/etcd" },
		{ "https://registry.hub.docker.com/flynn/etcd?id=", "flynn/etcd:latest", "flynn/etcd" },
		{ "docker:///flynn/slugrunner?tag=t", "flynn/slugrunner:t", "flynn/slugrunner" },
		{ "docker:///localhost:5000/x?tag=v1&id=sha256:ab&digest=sha256:cd", "sha256:ab", "localhost:5000/x" },
		{ "https://example.org:5000/x/y?tag=2", "example.org:5000/x/y:2", "example.org:5000/x/y" },
	};

	(void)state;
	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct image image = { 0 };

		assert_int_equal(image_parse(cases[i].uri, &image, NULL), 0);
		assert_string_equal(image.ref, cases[i].ref);
		assert_string_equal(image.name, cases[i].name);
		image_release(&image);
	}
}

static void
what_names_none_is_refused(void **state)
{
	static const char *const cases[] = {
		"", "flynn/etcd", "https://registry.hub.docker.com", "https://registry.hub.docker.com/",
		"docker:///flynn/x?id=../../secrets", "docker:///a b", "docker:///x?tag=a/b", "docker:///x?id=%2e%2e%2f", "docker:///x?id=1&digest=../x",
	};

	(void)state;
	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct image image = { 0 };
		struct fl_err err = { 0 };

		assert_int_equal(image_parse(cases[i], &image, &err), -1);
		assert_int_equal(err.kind, FL_ERR_INVALID);
		assert_null(image.ref);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_uri_names_an_image),
		cmocka_unit_test(what_names_none_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
