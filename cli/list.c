#include <stdio.h>

#include "libflynn/buf.h"
#include "libflynn/json.h"
#include "list.h"

void
list_print_json(const struct fl_json *v)
{
	struct fl_buf b = { 0 };
	struct fl_jsonw w = fl_jsonw(&b);

	if (fl_json_is_null(v))
		fl_buf_addstr(&b, "[]"); /* some lists are null when empty */
	else
		fl_jsonw_value(&w, NULL, v);
	printf("%s\n", fl_buf_cstr(&b));
	fl_buf_release(&b);
}
