#include "router/io.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* One TLS record's payload: parts that fit together go out as one record. */
#define RECORD_MAX ((size_t)16 << 10)

static int
broken(struct io *io)
{
	io->flags |= IO_BROKEN;
	io->flags &= ~(unsigned)(IO_READABLE | IO_WRITABLE);
	return IO_ERROR;
}

/*
 * A write has failed. An answer that came before the peer has gone says why, maybe (RFC 9112 9.5): so only
 * a connection that never stood is broken at once.
 */
static int
unwritable(struct io *io)
{
	if ((io->flags & IO_CONNECTED) == 0)
		return broken(io);
	io->flags |= IO_UNWRITABLE;
	return IO_ERROR;
}

void
io_note(struct io *io, uint32_t events)
{
	if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0)
		io->flags |= IO_READABLE;
	if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0)
		io->flags |= IO_HUP;
	if ((events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0)
		io->flags |= IO_WRITABLE;
	if ((events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) == EPOLLOUT)
		io->flags |= IO_CONNECTED;
	if (io->ssl != NULL)
		io->flags |= IO_READABLE | IO_WRITABLE; /* TLS may read in order to write, and the reverse */
}

/* What a failed call of OpenSSL means. */
static int
tls_result(struct io *io, int ret)
{
	int why = SSL_get_error(io->ssl, ret);

	switch (why) {
	case SSL_ERROR_WANT_READ:
		io->flags &= ~(unsigned)IO_READABLE;
		return IO_AGAIN;
	case SSL_ERROR_WANT_WRITE:
		io->flags &= ~(unsigned)IO_WRITABLE;
		return IO_AGAIN;
	case SSL_ERROR_ZERO_RETURN:
		io->flags |= IO_EOF;
		io->flags &= ~(unsigned)IO_READABLE;
		return 0;
	}
	ERR_clear_error();
	return broken(io);
}

int
io_handshake(struct io *io)
{
	int ret;

	ERR_clear_error();
	ret = SSL_accept(io->ssl);
	if (ret == 1) {
		io->flags &= ~(unsigned)IO_HANDSHAKE;
		io->flags |= IO_READABLE | IO_WRITABLE; /* OpenSSL may hold bytes already */
		return 1;
	}
	ret = tls_result(io, ret);
	return ret == IO_AGAIN ? IO_AGAIN : broken(io);
}

static ssize_t
tls_read(struct io *io, void *data, size_t len)
{
	size_t n;
	int ret;

	ERR_clear_error();
	ret = SSL_read_ex(io->ssl, data, len, &n);
	return ret == 1 ? (ssize_t)n : tls_result(io, ret);
}

/* What a read from the socket means that brought no byte: its result and errno. */
static ssize_t
nothing_read(struct io *io, ssize_t n)
{
	if ((n == -1 && errno != EAGAIN) || (n == 0 && (io->flags & IO_UNWRITABLE) != 0))
		return broken(io);
	io->flags &= ~(unsigned)IO_READABLE;
	if (n == -1)
		return IO_AGAIN;
	io->flags |= IO_EOF;
	return 0;
}

ssize_t
io_read(struct io *io, void *data, size_t len)
{
	ssize_t n;

	if ((io->flags & IO_EOF) != 0)
		return 0;
	if ((io->flags & IO_BROKEN) != 0)
		return IO_ERROR;
	if (io->ssl != NULL)
		return tls_read(io, data, len);
	if (io->ops != NULL)
		return io->ops->read(io, data, len);
	do
		n = recv(io->fd, data, len, 0);
	while (n == -1 && errno == EINTR);
	if (n <= 0)
		return nothing_read(io, n);
	/* The socket is drained, epoll(7) Q9: what comes next brings a new edge. */
	if ((size_t)n < len && (io->flags & IO_HUP) == 0)
		io->flags &= ~(unsigned)IO_READABLE;
	return n;
}

bool
io_can_splice(const struct io *io)
{
	return io->ssl == NULL && io->ops == NULL;
}

/* Fewer bytes than asked for say nothing here: a pipe is full when its pages are, however little is in them. */
ssize_t
io_splice_in(struct io *io, int pipe_fd, size_t len)
{
	ssize_t n;

	if ((io->flags & IO_EOF) != 0)
		return 0;
	if ((io->flags & IO_BROKEN) != 0)
		return IO_ERROR;
	do
		n = splice(io->fd, NULL, pipe_fd, NULL, len, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	while (n == -1 && errno == EINTR);
	return n <= 0 ? nothing_read(io, n) : n;
}

static ssize_t
tls_write_one(struct io *io, const void *data, size_t len)
{
	size_t n;
	int ret;

	ERR_clear_error();
	ret = SSL_write_ex(io->ssl, data, len, &n);
	if (ret == 1)
		return (ssize_t)n;
	ret = tls_result(io, ret);
	return ret == 0 ? broken(io) : ret;
}

static ssize_t
tls_write(struct io *io, const struct iovec *parts, int n)
{
	char record[RECORD_MAX];
	ssize_t sum = 0;
	size_t len = 0;

	for (int i = 0; i < n; i++)
		len += parts[i].iov_len;
	if (n > 1 && len <= sizeof(record)) {
		char *at = record;

		for (int i = 0; i < n; i++)
			at = mempcpy(at, parts[i].iov_base, parts[i].iov_len);
		return tls_write_one(io, record, len);
	}
	for (int i = 0; i < n; i++) {
		const char *at = parts[i].iov_base;
		size_t left = parts[i].iov_len;

		while (left > 0) {
			ssize_t took = tls_write_one(io, at, left);

			if (took < 0)
				return sum > 0 && took == IO_AGAIN ? sum : took;
			sum += took;
			at += took;
			left -= (size_t)took;
		}
	}
	return sum;
}

ssize_t
io_write(struct io *io, const struct iovec *parts, int n)
{
	struct msghdr msg = { .msg_iov = (struct iovec *)parts, .msg_iovlen = (size_t)n };
	size_t len = 0;
	ssize_t sent;

	assert(n <= IO_MAX_PARTS);
	if ((io->flags & (IO_BROKEN | IO_SHUT)) != 0)
		return broken(io);
	if ((io->flags & IO_UNWRITABLE) != 0)
		return IO_ERROR;
	if (io->ssl != NULL)
		return tls_write(io, parts, n);
	if (io->ops != NULL)
		return io->ops->write(io, parts, n);
	for (int i = 0; i < n; i++)
		len += parts[i].iov_len;
	do
		sent = n == 1 ? send(io->fd, parts->iov_base, len, MSG_NOSIGNAL) : sendmsg(io->fd, &msg, MSG_NOSIGNAL);
	while (sent == -1 && errno == EINTR);
	if (sent == -1 && errno != EAGAIN)
		return unwritable(io);
	if (sent < (ssize_t)len)
		io->flags &= ~(unsigned)IO_WRITABLE;
	if (sent == -1)
		return IO_AGAIN;
	io->flags |= IO_CONNECTED;
	return sent;
}

ssize_t
io_splice_out(struct io *io, int pipe_fd, size_t len)
{
	ssize_t sent;

	if ((io->flags & (IO_BROKEN | IO_SHUT)) != 0)
		return broken(io);
	if ((io->flags & IO_UNWRITABLE) != 0)
		return IO_ERROR;
	do
		sent = splice(pipe_fd, NULL, io->fd, NULL, len, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	while (sent == -1 && errno == EINTR);
	if (sent == -1 && errno != EAGAIN)
		return unwritable(io);
	if (sent == -1) {
		io->flags &= ~(unsigned)IO_WRITABLE;
		return IO_AGAIN;
	}
	io->flags |= IO_CONNECTED;
	return sent;
}

void
io_shut(struct io *io)
{
	if ((io->flags & IO_SHUT) != 0)
		return;
	io->flags |= IO_SHUT;
	if (io->ssl != NULL && (io->flags & (IO_BROKEN | IO_HANDSHAKE)) == 0) {
		ERR_clear_error();
		SSL_shutdown(io->ssl);
	}
	shutdown(io->fd, SHUT_WR);
}

void
io_close(struct io *io, bool abort)
{
	static const struct linger now = { .l_onoff = 1, .l_linger = 0 };

	if (io->fd == -1)
		return;
	if (io->ssl != NULL) {
		if (!abort && (io->flags & (IO_BROKEN | IO_HANDSHAKE | IO_SHUT)) == 0) {
			ERR_clear_error();
			SSL_shutdown(io->ssl);
		}
		SSL_free(io->ssl);
		io->ssl = NULL;
	}
	if (abort)
		setsockopt(io->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(io->fd);
	io->fd = -1;
}
