/*
 * size - amounts of memory for people: "512 MB", "2 GB".
 */
#ifndef FL_SIZE_H
#define FL_SIZE_H

#include <stdint.h>

struct fl_buf;

/* Append it in the largest unit, from KB to TB, in which it is a whole number; below a KB, in B. A KB has 1024 bytes. */
void fl_size_write(struct fl_buf *b, int64_t bytes);

#endif
