/*
 * mux - the engine's multiplexed output of a container without a terminal: chunks of stdout and stderr behind
 * eight-byte heads (Docker Engine API, "Attach to a container").
 */
#ifndef HOST_MUX_H
#define HOST_MUX_H

#include <stddef.h>
#include <stdint.h>

#include "libflynn/frame.h"

struct fl_buf;

/* { 0 } is one that has read nothing. */
struct mux {
	unsigned char head[8];
	size_t have; /* bytes of head */
	uint32_t left; /* of the current chunk */
	enum fl_frame_stream stream;
};

/*
 * Take the next run of bytes of one stream out of data[0..len): *out and *out_len (0: none) point at them. Returns how
 * many bytes were used; call again until that is all of them. -1: this is no multiplexed stream.
 */
int64_t mux_feed(struct mux *m, const char *data, size_t len, const char **out, size_t *out_len);

/* Both streams of a whole answer, in their order, appended to text; what is malformed ends it. */
void mux_text(const char *data, size_t len, struct fl_buf *text);

#endif
