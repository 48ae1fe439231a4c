#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "libflynn/attr.h"
#include "libflynn/etcd_internal.h"

/* What was told, as "key=value@create/mod ...". */
static bool
tell(const struct fl_etcd_kv *kv, void *arg)
{
	struct fl_buf *b = arg;

	fl_buf_addf(b, "%s=%s@%lld/%lld ", kv->key, kv->value, (long long)kv->create_rev, (long long)kv->mod_rev);
	return true;
}

static int
read_all(const char *data, size_t len, int64_t *rev, struct fl_buf *told)
{
	struct fl_err err = { 0 };

	return etcd_grpc_each(data, len, rev, tell, told, &err);
}

/* Revision 300; "b" made at 2 and changed at 300, "a" made at 1, "c" of another version with a field that is unknown. */
static const char answer[] = "\x0a\x03\x18\xac\x02"
			     "\x12\x0b\x0a\x01\x62\x10\x02\x18\xac\x02\x2a\x01\x79"
			     "\x12\x0a\x0a\x01\x61\x10\x01\x18\x01\x2a\x01\x78"
			     "\x12\x0a\x0a\x01\x63\x10\x03\x18\x03\xfa\x01\x00";

static void
keys_come_in_the_order_of_their_creation(FL_UNUSED void **state)
{
	struct fl_buf told = { 0 };
	int64_t rev = 0;

	assert_int_equal(read_all(answer, sizeof(answer) - 1, &rev, &told), 0);
	assert_int_equal(rev, 300);
	assert_string_equal(fl_buf_cstr(&told), "a=x@1/1 b=y@2/300 c=@3/3 ");
	fl_buf_release(&told);
}

static void
what_is_cut_or_no_answer_is_refused(FL_UNUSED void **state)
{
	static const char *const texts[] = { "\x0a\x03\x18\xac", "\x12\x7f\x0a", "\x0b", "\x0a\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", "hello" };
	struct fl_buf told = { 0 };
	int64_t rev = 0;

	for (size_t i = 0; i < fl_nitems(texts); i++)
		assert_int_equal(read_all(texts[i], strlen(texts[i]), &rev, &told), -1);
	assert_int_equal(read_all("", 0, &rev, &told), -1);
	for (size_t len = 1; len < sizeof(answer) - 1; len++)
		if (len != 5 && len != 18 && len != 30) /* where an answer may end */
			assert_int_equal(read_all(answer, len, &rev, &told), -1);
	fl_buf_release(&told);
}

static void
a_prefix_is_asked_for_as_a_range(FL_UNUSED void **state)
{
	struct fl_buf b = { 0 };

	etcd_grpc_range(&b, "/x/");
	assert_int_equal(b.len, 10);
	assert_memory_equal(b.data, "\x0a\x03/x/\x12\x03/x0", 10);
	fl_buf_release(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_come_in_the_order_of_their_creation),
		cmocka_unit_test(what_is_cut_or_no_answer_is_refused),
		cmocka_unit_test(a_prefix_is_asked_for_as_a_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
