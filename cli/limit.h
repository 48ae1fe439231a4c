/*
 * limit - what a job may use, as people write it: memory=512MB, cpu=500.
 */
#ifndef CLI_LIMIT_H
#define CLI_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

struct fl_err;

enum limit_kind { LIMIT_MEMORY, LIMIT_CPU, LIMIT_MAX };

#define LIMIT_TEXT 24

/* As releases call it. */
const char *limit_name(enum limit_kind kind);
bool limit_is_name(const char *name);
/* Put what "memory=512MB" says into values: bytes, thousandths of a CPU; none is 0. -1: INVALID with a sentence. */
int limit_parse(const char *word, int64_t values[LIMIT_MAX], struct fl_err *err);
/* "512MB", "500", or "none" for 0; returns out. */
const char *limit_text(enum limit_kind kind, int64_t value, char out[LIMIT_TEXT]);

#endif
