#include "host/mux.h"

#include <string.h>

#include "libflynn/buf.h"

static size_t
min_size(size_t a, size_t b)
{
	return a < b ? a : b;
}

static int
take_head(struct mux *m)
{
	if (m->head[0] > 3 || m->head[1] != 0 || m->head[2] != 0 || m->head[3] != 0)
		return -1;
	/* 3 is the engine's own complaint, which belongs where people look for those. */
	m->stream = m->head[0] < FL_FRAME_STDERR ? FL_FRAME_STDOUT : FL_FRAME_STDERR;
	m->left = (uint32_t)m->head[4] << 24 | (uint32_t)m->head[5] << 16 | (uint32_t)m->head[6] << 8 | m->head[7];
	m->have = 0;
	return 0;
}

int64_t
mux_feed(struct mux *m, const char *data, size_t len, const char **out, size_t *out_len)
{
	size_t used = 0, n;

	*out_len = 0;
	if (m->left == 0) {
		used = min_size(sizeof(m->head) - m->have, len);
		memcpy(m->head + m->have, data, used);
		m->have += used;
		if (m->have < sizeof(m->head))
			return (int64_t)used;
		if (take_head(m) == -1)
			return -1;
	}
	n = min_size(m->left, len - used);
	*out = data + used;
	*out_len = n;
	m->left -= (uint32_t)n;
	return (int64_t)(used + n);
}

void
mux_text(const char *data, size_t len, struct fl_buf *text)
{
	struct mux m = { 0 };

	while (len > 0) {
		const char *out = NULL;
		size_t out_len = 0;
		int64_t used = mux_feed(&m, data, len, &out, &out_len);

		if (used == -1)
			return;
		fl_buf_add(text, out, out_len);
		data += used;
		len -= (size_t)used;
	}
}
