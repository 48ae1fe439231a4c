/*
 * random - bytes from the kernel's generator, and numbers made of them.
 */
#ifndef FL_RANDOM_H
#define FL_RANDOM_H

#include <stddef.h>
#include <stdint.h>

void fl_random_bytes(void *data, size_t len);
/* 2 * nbytes lower-case hex digits; the caller frees. */
char *fl_random_hex(size_t nbytes);
/* Uniform in [0, bound); bound > 0. Fast and not for secrets. */
uint32_t fl_random_below(uint32_t bound);

#endif
