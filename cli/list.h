/*
 * list - what every listing command does: ask for an array, print it as JSON or as a table.
 */
#ifndef CLI_LIST_H
#define CLI_LIST_H

struct cli;
struct fl_json;

/* v as one line of JSON on standard output. */
void list_print_json(const struct fl_json *v);

#endif
