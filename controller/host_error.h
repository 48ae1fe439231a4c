/*
 * host_error - why a job ended, as its host says it: a sentence, and behind it the last lines that the job itself printed.
 *
 * Those are of a stranger, with colours and whatever else a terminal knows. How a job ended must be recorded all the same.
 */
#ifndef CONTROLLER_HOST_ERROR_H
#define CONTROLLER_HOST_ERROR_H

#include <stddef.h>

/*
 * The text without control characters but tab and line breaks, and without terminals' control sequences (ECMA-48), of at most
 * max bytes: of a longer one the beginning, up to the end of a character. text is UTF-8. The caller frees; NULL of NULL.
 */
char *host_error_plain(const char *text, size_t max);

#endif
