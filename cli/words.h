/*
 * words - which command the words on the command line mean.
 *
 * "route add http x", "route-add-http x" and the aliases are the same; the longest match wins.
 */
#ifndef CLI_WORDS_H
#define CLI_WORDS_H

#include <stdbool.h>

struct command;
struct fl_err;

/* *used: how many words the command's name took. NULL (NOT_FOUND) with a sentence that names the nearest one. */
const struct command *words_find(int argc, char *const *argv, int *used, struct fl_err *err);
/* Whether the command's name begins with the words of another one, as "route add" with "route". */
bool words_is_under(const char *name, const char *word);

#endif
