/*
 * io - a non-blocking connection, plain or TLS, registered once with an edge-triggered poller.
 *
 * The call is tried first; only when it would block does the poller's next edge matter. What the
 * edges told is kept in flags: reading or writing clears them when there was no more to get.
 * An error that the poller tells is not believed before a read has found it: bytes that came
 * before it are still there.
 */
#ifndef ROUTER_IO_H
#define ROUTER_IO_H

#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

enum io_flags {
	IO_READABLE = 1,  /* reading is worth a try */
	IO_WRITABLE = 2,  /* writing is worth a try */
	IO_HUP = 4,	  /* the peer has ended its side: read on until that end */
	IO_EOF = 8,	  /* that end was read */
	IO_BROKEN = 16,	  /* an error: neither side works any more */
	IO_SHUT = 32,	  /* our side was ended */
	IO_HANDSHAKE = 64,  /* TLS: not yet through */
	IO_CONNECTED = 128, /* a connect of ours has come through */
	IO_FIN = 1024,	    /* the peer has ended its side properly: a read that brings less than it might has brought the last */
	IO_NAGLE = 2048,    /* TCP_NODELAY is set with the second write: many connections have but one */
	IO_LAST = 512,	    /* whoever writes ends our side directly behind what is written next: they may go together */
	IO_UNWRITABLE = 256 /* the peer takes no more: what it said before is still there to be read, but no proper end */
};

struct io;

/* What does the work of an io that has no descriptor. Flags are theirs to keep; IO_EOF and IO_BROKEN are looked at before. */
struct io_ops {
	ssize_t (*read)(struct io *io, void *data, size_t len);
	ssize_t (*write)(struct io *io, const struct iovec *parts, int n);
};

struct io {
	int fd; /* -1: closed, or none */
	unsigned flags;
	SSL *ssl; /* NULL: plain */
	const struct io_ops *ops; /* NULL: fd is it */
	void (*on_ready)(struct io *io, uint32_t events); /* called by the poller after flags were set */
};

enum { IO_AGAIN = -1, IO_ERROR = -2 };

/* Bytes read; 0 at the peer's end (again and again); or IO_AGAIN, IO_ERROR. */
ssize_t io_read(struct io *io, void *data, size_t len);
/* Bytes written, maybe fewer than given; or IO_AGAIN, IO_ERROR. At most IO_MAX_PARTS parts. */
#define IO_MAX_PARTS 4
ssize_t io_write(struct io *io, const struct iovec *parts, int n);
/*
 * Let the kernel move bytes between the socket and a pipe: plain connections only. At most len from the
 * socket into the pipe, which is empty; or from the pipe, which holds len. Results as above.
 */
bool io_can_splice(const struct io *io);
ssize_t io_splice_in(struct io *io, int pipe_fd, size_t len);
ssize_t io_splice_out(struct io *io, int pipe_fd, size_t len);
/* End our side: close_notify if TLS, and FIN. */
void io_shut(struct io *io);
/* Close it and free the SSL. abort: tell the peer by RST that this is no proper end. */
void io_close(struct io *io, bool abort);
/* Go on with the TLS handshake: 1 done, or IO_AGAIN, IO_ERROR. */
int io_handshake(struct io *io);

/* Take what epoll_wait(2) told into flags. */
void io_note(struct io *io, uint32_t events);

#endif
