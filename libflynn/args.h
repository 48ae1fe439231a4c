/*
 * args - a daemon's options from one table: flag beats environment beats default.
 *
 * Flags are written -name value, -name=value or with two dashes. -h prints usage and
 * -version the version; both exit 0. A bad flag is an error sentence; the caller exits 2.
 * Secrets come from the environment only: give them a NULL flag name.
 */
#ifndef FL_ARGS_H
#define FL_ARGS_H

#include <stddef.h>

struct fl_err;

enum fl_args_type {
	FL_ARGS_STR,  /* char *: a copy, released by fl_args_release() */
	FL_ARGS_INT,  /* int */
	FL_ARGS_BOOL, /* bool: a flag without value, or environment "1", "true", "yes" */
	FL_ARGS_LIST, /* struct fl_args_list: the flag may be repeated; environment: comma list */
};

struct fl_args_list {
	char **items;
	size_t n;
};

struct fl_args_opt {
	const char *flag; /* without dashes; NULL: environment only */
	const char *env;  /* NULL: flag only */
	const char *def;  /* NULL: none (NULL, 0, false) */
	enum fl_args_type type;
	size_t offset; /* of the field in the config struct */
	const char *help;
};

/*
 * Fill config from argv and the environment; the table ends with an all-zero row.
 * Words that are no flags are left in rest (borrowed from argv) when it is not NULL,
 * and refused when it is. -h and -version print and exit(3).
 */
int fl_args_parse(const struct fl_args_opt *opts, void *config, int argc, char **argv,
    struct fl_args_list *rest, struct fl_err *err);
/* Free what parse allocated in config, and rest's array. */
void fl_args_release(const struct fl_args_opt *opts, void *config, struct fl_args_list *rest);

#endif
