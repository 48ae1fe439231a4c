#include "postgres/database.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "libflynn/attr.h"
#include "libflynn/err.h"

#define USER "0123456789abcdef0123456789abcdef"
#define NAME "fedcba9876543210fedcba9876543210"

static void
an_id_is_user_and_name(FL_UNUSED void **state)
{
	char user[FL_UUID_LEN + 1], name[FL_UUID_LEN + 1];

	assert_true(database_parse_id("/databases/" USER ":" NAME, user, name));
	assert_string_equal(user, USER);
	assert_string_equal(name, NAME);
}

/* None of these may come near a statement. */
static const char *const no_ids[] = {
	"", "/", "/databases/", "databases/" USER ":" NAME, "/databases/" USER NAME, "/databases/" USER ":", "/databases/:" NAME,
	"/databases/" USER ":" NAME "0", "/databases/" USER ":" NAME "\"", "/databases/" USER ":0" NAME,
	"/databases/0123456789ABCDEF0123456789abcdef:" NAME, "/databases/" USER ":fedcba9876543210fedcba987654321\"",
	"/databases/postgres:postgres", "/databases/" USER "0" NAME, "/databases/" USER ";" NAME, "/databases/x:" USER ":" NAME
};

static void
other_text_is_no_id(FL_UNUSED void **state)
{
	for (size_t i = 0; i < fl_nitems(no_ids); i++) {
		char user[FL_UUID_LEN + 1], name[FL_UUID_LEN + 1];

		assert_false(database_parse_id(no_ids[i], user, name));
	}
}

struct outcome {
	int calls;
	struct fl_err err;
};

static void
record(const struct database *db, const struct fl_err *err, void *arg)
{
	struct outcome *o = arg;

	assert_null(db);
	o->calls++;
	o->err = *err;
}

static void
dropping_what_is_no_id_asks_no_server(FL_UNUSED void **state)
{
	for (size_t i = 0; i < fl_nitems(no_ids); i++) {
		struct outcome got = { 0 };

		database_drop(NULL, no_ids[i], record, &got);
		assert_int_equal(got.calls, 1);
		assert_int_equal(got.err.kind, FL_ERR_NOT_FOUND);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_id_is_user_and_name),
		cmocka_unit_test(other_text_is_no_id),
		cmocka_unit_test(dropping_what_is_no_id_asks_no_server),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
