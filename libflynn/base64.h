/*
 * base64 - RFC 4648 section 4 (standard alphabet, padded), and hexadecimal.
 */
#ifndef FL_BASE64_H
#define FL_BASE64_H

#include <stddef.h>

struct fl_err;

/* Both return a string that the caller frees. */
char *fl_base64_encode(const void *data, size_t len);
char *fl_hex_encode(const void *data, size_t len);
/* Strict; returns malloc'ed bytes (NUL-terminated for convenience) and their number, or NULL (INVALID). */
void *fl_base64_decode(const char *text, size_t text_len, size_t *len, struct fl_err *err);

#endif
