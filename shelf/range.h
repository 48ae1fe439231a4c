/*
 * range - which bytes of a blob a request wants, and whether it wants them at all (RFC 9110, 13 and 14).
 */
#ifndef SHELF_RANGE_H
#define SHELF_RANGE_H

#include <stdbool.h>
#include <stdint.h>

/* The headers of a request; NULL: not there. */
struct range_headers {
	const char *range, *if_range, *if_none_match, *if_modified_since;
};

/* The validators of what is stored: the entity tag with its quotes, and seconds since the epoch. */
struct range_stored {
	const char *etag;
	int64_t modified_s, size;
};

struct range {
	int status; /* 200 all, 206 a part, 304 nothing changed, 416 no such part */
	int64_t offset, length;
};

/* Several ranges, a malformed one and units other than bytes get it all. */
struct range range_of(const struct range_headers *h, const struct range_stored *s);

#define RANGE_DATE_LEN 32
/* An HTTP date ("Sun, 06 Nov 1994 08:49:37 GMT"), and back: -1 when it is none. */
void range_date(int64_t seconds, char out[RANGE_DATE_LEN]);
int range_date_parse(const char *text, int64_t *seconds);

#endif
