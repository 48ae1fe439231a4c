/*
 * confirm - what is lost for good is asked for twice.
 */
#ifndef CLI_CONFIRM_H
#define CLI_CONFIRM_H

#include <stdbool.h>

#include "libflynn/attr.h"

/* Read the options of a command that asks, -y alone. -1: there is another one. */
int confirm_options(int argc, char **argv, bool *yes);
/*
 * Ask on standard error what ends in "Type NAME: ", and read the answer from standard input. Whether it is name; if not, that
 * nothing was done is said.
 */
bool confirm(const char *name, const char *question, ...) FL_PRINTF(2, 3);

#endif
