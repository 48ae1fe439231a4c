#include "controller/gob_time.h"

#include <endian.h>
#include <string.h>

/* The second: from Go 1.20 on, of zones with seconds, which a byte behind the rest has. */
enum { VERSION = 1, VERSION_SECONDS = 2 };

#define END_S INT64_C(315537897600) /* the year 10000 */
#define UTC (-1)

void
gob_time_write(int64_t wall_us, unsigned char out[GOB_TIME_LEN])
{
	uint64_t since_us = (uint64_t)(wall_us - GOB_TIME_ZERO_US), s = htobe64(since_us / 1000000);
	uint32_t ns = htobe32((uint32_t)(since_us % 1000000 * 1000));
	int16_t zone = UTC;

	out[0] = VERSION;
	memcpy(out + 1, &s, sizeof(s));
	memcpy(out + 9, &ns, sizeof(ns));
	memcpy(out + 13, &zone, sizeof(zone));
}

int
gob_time_read(const void *data, size_t len, int64_t *wall_us)
{
	const unsigned char *p = data;
	uint64_t s;
	uint32_t ns;

	if (len < GOB_TIME_LEN || p[0] < VERSION || p[0] > VERSION_SECONDS || len != (size_t)GOB_TIME_LEN - 1 + p[0])
		return -1;
	memcpy(&s, p + 1, sizeof(s));
	memcpy(&ns, p + 9, sizeof(ns));
	s = be64toh(s);
	ns = be32toh(ns);
	if (s >= (uint64_t)END_S || ns >= 1000000000)
		return -1;
	*wall_us = (int64_t)s * 1000000 + ns / 1000 + GOB_TIME_ZERO_US;
	return 0;
}
