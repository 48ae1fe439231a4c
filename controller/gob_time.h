/*
 * gob_time - Go's time.Time in its binary form: a version, seconds since the year 1, nanoseconds and the zone's minutes.
 */
#ifndef CONTROLLER_GOB_TIME_H
#define CONTROLLER_GOB_TIME_H

#include <stddef.h>
#include <stdint.h>

#define GOB_TIME_LEN 15
/* Go's zero time, 0001-01-01T00:00:00Z, as we count. */
#define GOB_TIME_ZERO_US (INT64_C(-62135596800) * 1000000)

/* wall_us from GOB_TIME_ZERO_US on; in UTC. */
void gob_time_write(int64_t wall_us, unsigned char out[GOB_TIME_LEN]);
/* -1: it is none, or of no year from 1 to 9999. */
int gob_time_read(const void *data, size_t len, int64_t *wall_us);

#endif
