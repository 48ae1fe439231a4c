/*
 * app_name - what an app may be called, and names for apps that were given none.
 */
#ifndef CONTROLLER_APP_NAME_H
#define CONTROLLER_APP_NAME_H

#include <stdint.h>

struct fl_err;

#define APP_NAME_MAX 100

/* Groups of a-z and 0-9 joined by single dashes, and nothing that reads as an id: else INVALID. */
int app_name_check(const char *name, struct fl_err *err);

/*
 * The name of number n, "animals-verb-town": the same for the same seed, and another for each n
 * until all are used. seed is hex, at most 20 digits; NULL or malformed: zeros. The caller frees.
 */
char *app_name_generate(const char *seed, uint32_t n);

#endif
