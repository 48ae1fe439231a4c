/*
 * random - see random.h.
 */
#include "libflynn/random.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include "libflynn/base64.h"
#include "libflynn/xmalloc.h"

void
fl_random_bytes(void *data, size_t len)
{
	unsigned char *out = data;

	while (len > 0) {
		ssize_t n = getrandom(out, len, 0);

		/* Keys made without randomness would be worse than no daemon. */
		if (n == -1 && errno != EINTR)
			abort();
		if (n > 0) {
			out += n;
			len -= (size_t)n;
		}
	}
}

char *
fl_random_hex(size_t nbytes)
{
	void *data = fl_xmalloc(nbytes);
	char *hex = NULL;

	fl_random_bytes(data, nbytes);
	hex = fl_hex_encode(data, nbytes);
	free(data);
	return hex;
}

/* splitmix64 (Steele, Lea, Flood 2014), one state a thread. */
static uint32_t
next32(void)
{
	static _Thread_local uint64_t state;
	uint64_t z;

	if (state == 0)
		fl_random_bytes(&state, sizeof(state));
	z = state += 0x9e3779b97f4a7c15u;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return (uint32_t)(z >> 32);
}

/* Lemire 2019: a multiplication instead of a division, rejecting what would be unfair. */
uint32_t
fl_random_below(uint32_t bound)
{
	uint64_t product = (uint64_t)next32() * bound;

	if ((uint32_t)product < bound) {
		uint32_t unfair = -bound % bound;

		while ((uint32_t)product < unfair)
			product = (uint64_t)next32() * bound;
	}
	return (uint32_t)(product >> 32);
}
