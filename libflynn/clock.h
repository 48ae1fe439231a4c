/*
 * clock - the time, for measuring and for writing down.
 */
#ifndef FL_CLOCK_H
#define FL_CLOCK_H

#include <stddef.h>
#include <stdint.h>

/* Monotonic, in milliseconds and microseconds: for intervals only. */
int64_t fl_clock_ms(void);
int64_t fl_clock_us(void);
/* Wall clock, microseconds since the epoch. */
int64_t fl_clock_wall_us(void);

#define FL_CLOCK_RFC3339_LEN 32
/* RFC 3339 in UTC with up to six decimals, trailing zeros trimmed: 2014-08-02T01:02:03.123456Z. */
void fl_clock_format(int64_t wall_us, char out[FL_CLOCK_RFC3339_LEN]);
/* Parses any RFC 3339 time (up to nanoseconds, any offset); -1 when it is none. */
int fl_clock_parse(const char *text, int64_t *wall_us);

#define FL_CLOCK_HTTP_LEN 30
/* As a Date header has it, RFC 9110 5.6.7: Sun, 06 Nov 1994 08:49:37 GMT. For years of four digits. */
void fl_clock_format_http(int64_t wall_s, char out[FL_CLOCK_HTTP_LEN]);

#endif
