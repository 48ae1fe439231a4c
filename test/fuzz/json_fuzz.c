/*
 * json_fuzz - what the parser takes, the writer writes, and the parser takes again as the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
write_value(const struct fl_json *v, struct fl_buf *b)
{
	struct fl_jsonw w = fl_jsonw(b);

	fl_jsonw_value(&w, NULL, v);
}

/* Each member is found by its key, and is what stands at its place. */
static void
look_up_members(const struct fl_json *v)
{
	for (size_t i = 0; i < fl_json_len(v); i++) {
		const char *key = fl_json_key_at(v, i);

		if (key != NULL && fl_json_get(v, key) != fl_json_at(v, i))
			abort();
		look_up_members(fl_json_at(v, i));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fl_err err = { 0 };
	struct fl_json *v = fl_json_parse((const char *)data, size, &err), *copy = NULL, *again = NULL;
	struct fl_buf first = { 0 }, second = { 0 };

	if (v == NULL) {
		if (err.kind == FL_ERR_NONE)
			abort();
		return 0;
	}
	look_up_members(v);
	copy = fl_json_dup(v);
	write_value(copy, &first);
	if ((again = fl_json_parse(first.data, first.len, NULL)) == NULL)
		abort();
	write_value(again, &second);
	if (strcmp(first.data, second.data) != 0)
		abort();
	fl_buf_release(&first);
	fl_buf_release(&second);
	fl_json_free(v);
	fl_json_free(copy);
	fl_json_free(again);
	return 0;
}
