/*
 * frame_fuzz - attach frames: what is read and written again are the same bytes, cut anew.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>

#include "libflynn/err.h"
#include "libflynn/frame.h"
#include "libflynn/xmalloc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
write_frame(struct evbuffer *out, const struct fl_frame *f)
{
	switch (f->type) {
	case FL_FRAME_DATA:
		if (f->eof)
			fl_frame_write_eof(out, f->stream);
		else
			fl_frame_write_data(out, f->stream, f->data, f->len);
		break;
	case FL_FRAME_SIGNAL:
		fl_frame_write_signal(out, f->value);
		break;
	case FL_FRAME_EXIT:
		fl_frame_write_exit(out, f->value);
		break;
	case FL_FRAME_RESIZE:
		fl_frame_write_resize(out, f->rows, f->cols);
		break;
	}
}

/* Read all frames of in, writing each to out; returns the last result. */
static int
copy_frames(struct evbuffer *in, struct evbuffer *out)
{
	struct fl_frame_reader *r = fl_xcalloc(1, sizeof(*r));
	struct fl_frame f;
	struct fl_err err = { 0 };
	int rc;

	while ((rc = fl_frame_read(r, in, &f, &err)) == 1) {
		if (f.type == FL_FRAME_DATA && !f.eof && (f.len == 0 || f.len > sizeof(r->part)))
			abort();
		write_frame(out, &f);
	}
	if ((rc == -1) != (err.kind != FL_ERR_NONE))
		abort();
	free(r);
	return rc;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct evbuffer *in = evbuffer_new(), *once = evbuffer_new(), *twice = evbuffer_new();
	size_t len;

	evbuffer_add(in, data, size);
	copy_frames(in, once);
	len = evbuffer_get_length(once);
	evbuffer_free(in);
	in = evbuffer_new();
	if (len > 0)
		evbuffer_add(in, evbuffer_pullup(once, -1), len);
	if (copy_frames(in, twice) == -1 || evbuffer_get_length(twice) != len)
		abort();
	if (len > 0 && memcmp(evbuffer_pullup(once, -1), evbuffer_pullup(twice, -1), len) != 0)
		abort();
	evbuffer_free(in);
	evbuffer_free(once);
	evbuffer_free(twice);
	return 0;
}
