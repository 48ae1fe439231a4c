/*
 * size - see size.h.
 */
#include "libflynn/size.h"

#include <stddef.h>

#include "libflynn/attr.h"
#include "libflynn/buf.h"

#define STEP 1024

void
fl_size_write(struct fl_buf *b, int64_t bytes)
{
	static const char *const units[] = { "B", "KB", "MB", "GB", "TB" };
	size_t unit = 0;

	/* What is no whole number of KB is near enough to one for people. */
	while (unit + 1 < fl_nitems(units) && bytes >= STEP && (unit == 0 || bytes % STEP == 0)) {
		bytes /= STEP;
		unit++;
	}
	fl_buf_addf(b, "%lld %s", (long long)bytes, units[unit]);
}
