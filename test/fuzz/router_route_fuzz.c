/* router_route_fuzz - routes from strangers: what is taken can be written and taken again, the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/json.h"
#include "router/route.h"
#include "router/table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct route *
parse(const char *text, size_t len)
{
	struct fl_json *v = fl_json_parse(text, len, NULL);
	struct fl_err err = { 0 };
	struct route *r = v != NULL ? route_parse(v, &err) : NULL;

	if (v != NULL && (r == NULL) != (err.kind != FL_ERR_NONE))
		abort();
	fl_json_free(v);
	return r;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct route *r = parse((const char *)data, size), *again = NULL;
	struct fl_buf one = { 0 }, two = { 0 };
	char *key = NULL;

	if (r == NULL)
		return 0;
	if (r->id == NULL)
		route_set_port(r, 3000);
	route_write(r, &one, true);
	if ((again = parse(one.data, one.len)) == NULL)
		abort();
	route_write(again, &two, true);
	if (one.len != two.len || memcmp(one.data, two.data, one.len) != 0)
		abort();
	key = route_key(r);
	if (strlen(key) > TABLE_MAX_KEY)
		abort();
	free(key);
	fl_buf_release(&one);
	fl_buf_release(&two);
	route_free(r);
	route_free(again);
	return 0;
}
