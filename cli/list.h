/*
 * list - what every listing command does: show an array as JSON or as a table.
 */
#ifndef CLI_LIST_H
#define CLI_LIST_H

struct cli;
struct fl_err;
struct fl_json;

/*
 * Show v, which is freed, in the form that the user wants: one line of JSON, or what print prints. v NULL: it could not be
 * had, and err says why. The command's exit status.
 */
int list_show(const struct cli *cli, struct fl_json *v, void (*print)(const struct fl_json *v, const void *arg), const void *arg,
    const struct fl_err *err);
/* v as one line of JSON on standard output. */
void list_print_json(const struct fl_json *v);

#endif
