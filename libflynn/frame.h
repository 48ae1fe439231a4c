/*
 * frame - the frames of an attached job, both directions.
 *
 *	3 data    stream byte (0 stdin, 1 stdout, 2 stderr), uint32 length, bytes; length 0: that stream ended
 *	4 signal  uint32 signal number           (to the job)
 *	5 exit    uint32 status; the last frame  (from the job)
 *	6 resize  uint16 rows, uint16 columns    (to the job, tty only)
 *
 * Integers are big-endian. Before the frames host sends a state byte: 0 attached, 1 waiting for
 * the job (another state byte follows), 2 error, uint32 length, text.
 */
#ifndef FL_FRAME_H
#define FL_FRAME_H

#include <stddef.h>
#include <stdint.h>

struct evbuffer;
struct fl_err;

enum fl_frame_type { FL_FRAME_DATA = 3, FL_FRAME_SIGNAL = 4, FL_FRAME_EXIT = 5, FL_FRAME_RESIZE = 6 };
enum fl_frame_stream { FL_FRAME_STDIN = 0, FL_FRAME_STDOUT = 1, FL_FRAME_STDERR = 2 };
enum fl_frame_state { FL_FRAME_ATTACHED = 0, FL_FRAME_WAITING = 1, FL_FRAME_ERROR = 2 };

#define FL_FRAME_MAX (64u << 10) /* what we write at most; longer data frames are read in parts */

struct fl_frame {
	enum fl_frame_type type;
	enum fl_frame_stream stream; /* data */
	size_t len;		     /* data: bytes of this part at data */
	const unsigned char *data;   /* borrowed until the next read */
	int eof;		     /* data: a frame of length 0 */
	uint32_t value;		     /* signal number, exit status */
	uint16_t rows, cols;
};

/* What is left of a data frame between two parts. */
struct fl_frame_reader {
	enum fl_frame_stream stream;
	uint32_t left;
	unsigned char part[16u << 10];
};

/* Each appends to out, data of more than FL_FRAME_MAX as several frames. */
void fl_frame_write_data(struct evbuffer *out, enum fl_frame_stream stream, const void *data, size_t len);
void fl_frame_write_eof(struct evbuffer *out, enum fl_frame_stream stream);
void fl_frame_write_signal(struct evbuffer *out, uint32_t sig);
void fl_frame_write_exit(struct evbuffer *out, uint32_t status);
void fl_frame_write_resize(struct evbuffer *out, uint16_t rows, uint16_t cols);

/* Take one frame, or one part of a long data frame, off in. 1: f is set; 0: more bytes needed; -1: INVALID. */
int fl_frame_read(struct fl_frame_reader *r, struct evbuffer *in, struct fl_frame *f, struct fl_err *err);

#endif
