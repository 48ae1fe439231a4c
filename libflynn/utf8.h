/*
 * utf8 - is it UTF-8 (RFC 3629)? For what reads and writes text of strangers.
 */
#ifndef FL_UTF8_H
#define FL_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* The length of the character that s[0..len) starts with; 0 when that is none: overlong, surrogate, cut short. */
size_t fl_utf8_len(const char *s, size_t len);
/* Whether s[0..len) is characters only. */
bool fl_utf8_valid(const char *s, size_t len);

#endif
