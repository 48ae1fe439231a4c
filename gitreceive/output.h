/*
 * output - lines for the person who pushes: git shows them behind "remote: ", which each line's start wipes off.
 */
#ifndef GITRECEIVE_OUTPUT_H
#define GITRECEIVE_OUTPUT_H

#include <stddef.h>

#include "libflynn/attr.h"

/* Builder's output as it comes, whole lines or parts. */
void output_write(const char *data, size_t len);
/* One line of our own. */
void output_line(const char *fmt, ...) FL_PRINTF(1, 2);

#endif
