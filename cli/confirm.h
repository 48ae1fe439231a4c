/*
 * confirm - what is lost for good is asked for twice.
 */
#ifndef CLI_CONFIRM_H
#define CLI_CONFIRM_H

#include <stdbool.h>

/*
 * Ask on standard error what ends in "Type NAME: ", and read the answer from standard input. Whether it is name; if not, that
 * nothing was done is said.
 */
bool confirm(const char *question, const char *name);

#endif
