/*
 * uuid - random (version 4) ids of RFC 9562, written as 32 hex digits without hyphens.
 */
#ifndef FL_UUID_H
#define FL_UUID_H

#include <stdbool.h>

#define FL_UUID_LEN 32

/* Writes a new id of FL_UUID_LEN digits and a NUL. */
void fl_uuid_new(char out[FL_UUID_LEN + 1]);
/* Accepts 8-4-4-4-12 hex digits with optional hyphens; writes the hyphen-less lower-case form. */
bool fl_uuid_parse(const char *text, char out[FL_UUID_LEN + 1]);

#endif
