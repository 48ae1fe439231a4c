#include <stdio.h>

#include "cli/cli.h"
#include "cli/list.h"
#include "cli/table.h"
#include "libflynn/buf.h"
#include "libflynn/json.h"

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

void
list_print_table(const struct fl_json *v, const char *const *heads,
    void (*add)(struct table *t, const struct fl_json *item, const void *arg), const void *arg)
{
	struct table *t = table_new(heads);

	for (size_t i = 0; i < fl_json_len(v); i++)
		add(t, fl_json_at(v, i), arg);
	table_print(t);
}

int
list_show(const struct cli *cli, struct fl_json *v, void (*print)(const struct fl_json *v, const void *arg), const void *arg,
    const struct fl_err *err)
{
	if (v == NULL)
		return cli_fail(err);
	if (cli->json)
		list_print_json(v);
	else
		print(v, arg);
	fl_json_free(v);
	return 0;
}
