/*
 * list - what every listing command does: show an array as JSON or as a table.
 */
#ifndef CLI_LIST_H
#define CLI_LIST_H

struct cli;
struct fl_err;
struct fl_json;
struct table;

/*
 * Show v, which is freed, in the form that the user wants: one line of JSON, or what print prints. v NULL: it could not be
 * had, and err says why. The command's exit status.
 */
int list_show(const struct cli *cli, struct fl_json *v, void (*print)(const struct fl_json *v, const void *arg), const void *arg,
    const struct fl_err *err);
/* v as one line of JSON on standard output. */
void list_print_json(const struct fl_json *v);
/*
 * v as a table on standard output: add is called with each of its items, and adds a row of as many cells as there are heads, or
 * none. Nothing at all, not even heads, when v has no item.
 */
void list_print_table(const struct fl_json *v, const char *const *heads,
    void (*add)(struct table *t, const struct fl_json *item, const void *arg), const void *arg);

#endif
