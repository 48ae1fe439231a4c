/*
 * env_file - an environment as text: NAME=VALUE lines, as shells and their tools read them.
 *
 * Empty lines and what follows a # are left out, and so is "export" in front of a name. A value in single quotes is
 * as it stands, one in double quotes has \n \r \t \" \\ \$ and \` ; both may have several lines. One without quotes
 * ends before blanks and a # that follows them.
 */
#ifndef CLI_ENV_FILE_H
#define CLI_ENV_FILE_H

#include <stddef.h>

struct fl_buf;
struct fl_err;

/*
 * Call add for each variable, in order. -1: INVALID with a sentence that names the line; add may have been called before.
 */
int env_file_parse(const char *text, size_t len, void (*add)(const char *name, const char *value, void *arg), void *arg,
    struct fl_err *err);
/* Append the line that reads back as this variable, to env_file_parse() and to sh(1). */
void env_file_write(struct fl_buf *b, const char *name, const char *value);
/* Whether an environment variable may be called so. */
int env_file_check_name(const char *name, struct fl_err *err);

#endif
