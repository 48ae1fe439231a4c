/*
 * record - what is remembered of an exchange that has ended, and its compact form in memory.
 */
#ifndef ROUTER_RECORD_H
#define ROUTER_RECORD_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

#include "libflynn/http_parse.h"

struct fl_buf;

/* Texts are cut at so many bytes; the path gets what the others leave of RECORD_NOTE. */
#define RECORD_METHOD 16
#define RECORD_HOST 100
#define RECORD_ID 40
#define RECORD_NOTE 176
#define RECORD_NAME 60 /* of an instance, and of a release */

enum record_flags {
	RECORD_TLS = 1,
	RECORD_H2 = 2,
	RECORD_TCP = 4,	   /* a connection to a TCP route */
	RECORD_TUNNEL = 8, /* upgraded by a 101 */
	RECORD_OWN = 16,   /* the answer was our own */
	RECORD_WHOLE = 32  /* all of the answer was passed on */
};

/* Times are in microseconds. Each but the first is since start_us; 0: it did not come to that. */
struct record {
	int64_t start_us; /* monotonic: the first byte of the request's head came, or a TCP connection */
	float connect_us; /* the request was with the instance: a connection stood, and its head was sent */
	float first_us;	  /* the first byte of the answer came */
	float total_us;
	uint64_t up_bytes, down_bytes; /* of the bodies, as they were passed on */
	uint32_t route;		       /* the number of its tally; 0: none */
	uint16_t status;	       /* 0: no answer was begun */
	uint8_t retries, flags;
	struct in6_addr client; /* IPv4 mapped */
	/* path: without its query, which may hold secrets. Any may be empty. */
	struct fl_span method, host, path, id, instance, release;
};

/* The most bytes that record_pack() may write. */
#define RECORD_MAX (88 + RECORD_NOTE + 2 * RECORD_NAME)

/* The number of bytes it takes. out is aligned to 8. */
size_t record_pack(const struct record *r, void *out);
/* The texts of r are borrowed from packed. */
void record_unpack(struct record *r, const void *packed);
/*
 * Append it as a JSON object. wall_us: what to add to monotonic times to get microseconds since the epoch.
 */
void record_write(const struct record *r, int64_t wall_us, struct fl_buf *b);
/* "http/1.1", "h2" or "tcp". */
const char *record_protocol(const struct record *r);
/* The client's address. */
void record_client(const struct record *r, char out[INET6_ADDRSTRLEN]);

#endif
