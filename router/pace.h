/*
 * pace - the time that an exchange has for what it waits for, and the least that must come or go meanwhile.
 *
 * Usually the time starts anew with each byte. A client that is slow to read may for long take from the
 * kernel's buffer without making room in it for us: so half the time on it is looked at how much is in there,
 * and at its end whether that is less. With a minimal rate so many bytes must have come, or been taken,
 * over each such time, whatever moves.
 */
#ifndef ROUTER_PACE_H
#define ROUTER_PACE_H

#include <stdbool.h>
#include <stdint.h>

#include "router/client.h"

struct exchange;

struct pace {
	int64_t since_ms; /* of the time that is counted now */
	int64_t bytes;	  /* that had come, or been taken, at its beginning */
	uint8_t wait;	  /* enum client_wait it is about; WAIT_NOTHING: none is counted */
};

/* The exchange waits. moved: bytes have, in either direction. */
void pace_wait(struct exchange *x, enum client_wait wait, bool moved);
/* Its time is over: whether it goes on all the same, as enough has moved. */
bool pace_is_kept(struct exchange *x, enum client_wait wait);

#endif
