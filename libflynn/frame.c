/*
 * frame - see frame.h.
 */
#include "libflynn/frame.h"

#include <arpa/inet.h>
#include <string.h>

#include <event2/buffer.h>

#include "libflynn/err.h"

static void
add_u32(struct evbuffer *out, uint32_t value)
{
	uint32_t wire = htonl(value);

	evbuffer_add(out, &wire, sizeof(wire));
}

static void
add_header(struct evbuffer *out, enum fl_frame_type type, enum fl_frame_stream stream, size_t len)
{
	evbuffer_add(out, (unsigned char[]){ (unsigned char)type, (unsigned char)stream }, 2);
	add_u32(out, (uint32_t)len);
}

void
fl_frame_write_data(struct evbuffer *out, enum fl_frame_stream stream, const void *data, size_t len)
{
	const unsigned char *p = data;

	while (len > 0) {
		size_t n = len < FL_FRAME_MAX ? len : FL_FRAME_MAX;

		add_header(out, FL_FRAME_DATA, stream, n);
		evbuffer_add(out, p, n);
		p += n;
		len -= n;
	}
}

void
fl_frame_write_eof(struct evbuffer *out, enum fl_frame_stream stream)
{
	add_header(out, FL_FRAME_DATA, stream, 0);
}

static void
write_value(struct evbuffer *out, enum fl_frame_type type, uint32_t value)
{
	evbuffer_add(out, (unsigned char[]){ (unsigned char)type }, 1);
	add_u32(out, value);
}

void
fl_frame_write_signal(struct evbuffer *out, uint32_t sig)
{
	write_value(out, FL_FRAME_SIGNAL, sig);
}

void
fl_frame_write_exit(struct evbuffer *out, uint32_t status)
{
	write_value(out, FL_FRAME_EXIT, status);
}

void
fl_frame_write_resize(struct evbuffer *out, uint16_t rows, uint16_t cols)
{
	write_value(out, FL_FRAME_RESIZE, (uint32_t)rows << 16 | cols);
}

/* As much of the current data frame as is there and fits. */
static int
read_part(struct fl_frame_reader *r, struct evbuffer *in, struct fl_frame *f)
{
	size_t want = r->left < sizeof(r->part) ? r->left : sizeof(r->part);
	int n = evbuffer_remove(in, r->part, want);

	if (n <= 0)
		return 0;
	r->left -= (uint32_t)n;
	*f = (struct fl_frame){ .type = FL_FRAME_DATA, .stream = r->stream, .len = (size_t)n, .data = r->part };
	return 1;
}

static int
read_data(struct fl_frame_reader *r, struct evbuffer *in, struct fl_frame *f, struct fl_err *err)
{
	unsigned char header[6];
	uint32_t wire;

	if (evbuffer_copyout(in, header, sizeof(header)) < (ssize_t)sizeof(header))
		return 0;
	if (header[1] > FL_FRAME_STDERR)
		return fl_err_set(err, FL_ERR_INVALID, "attach: no stream %u", header[1]);
	evbuffer_drain(in, sizeof(header));
	memcpy(&wire, header + 2, sizeof(wire));
	r->stream = (enum fl_frame_stream)header[1];
	r->left = ntohl(wire);
	if (r->left > 0)
		return read_part(r, in, f);
	*f = (struct fl_frame){ .type = FL_FRAME_DATA, .stream = r->stream, .eof = 1 };
	return 1;
}

int
fl_frame_read(struct fl_frame_reader *r, struct evbuffer *in, struct fl_frame *f, struct fl_err *err)
{
	unsigned char bytes[5];
	ssize_t n;
	uint32_t wire;

	if (r->left > 0)
		return read_part(r, in, f);
	if ((n = evbuffer_copyout(in, bytes, sizeof(bytes))) <= 0)
		return 0;
	if (bytes[0] == FL_FRAME_DATA)
		return read_data(r, in, f, err);
	if (bytes[0] < FL_FRAME_DATA || bytes[0] > FL_FRAME_RESIZE)
		return fl_err_set(err, FL_ERR_INVALID, "attach: no frame of type %u", bytes[0]);
	if (n < (ssize_t)sizeof(bytes))
		return 0;
	evbuffer_drain(in, sizeof(bytes));
	memcpy(&wire, bytes + 1, sizeof(wire));
	*f = (struct fl_frame){ .type = (enum fl_frame_type)bytes[0] };
	if (f->type == FL_FRAME_RESIZE) {
		f->rows = (uint16_t)(ntohl(wire) >> 16);
		f->cols = (uint16_t)ntohl(wire);
	} else {
		f->value = ntohl(wire);
	}
	return 1;
}
