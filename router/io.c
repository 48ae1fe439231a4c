#include "router/io.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "router/tls_io.h"

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
	if ((events & (EPOLLRDHUP | EPOLLERR)) == EPOLLRDHUP)
		io->flags |= IO_FIN;
	if ((events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0)
		io->flags |= IO_WRITABLE;
	if ((events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) == EPOLLOUT)
		io->flags |= IO_CONNECTED;
}

int
io_handshake(struct io *io)
{
	return tls_io_handshake(io);
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
		return tls_io_read(io, data, len);
	if (io->ops != NULL)
		return io->ops->read(io, data, len);
	do
		n = recv(io->fd, data, len, 0);
	while (n == -1 && errno == EINTR);
	if (n <= 0)
		return nothing_read(io, n);
	/* The socket is drained, epoll(7) Q9: what comes next brings a new edge; or there is no next. */
	if ((size_t)n < len && (io->flags & (IO_FIN | IO_UNWRITABLE)) == IO_FIN)
		io->flags |= IO_EOF;
	else if ((size_t)n < len && (io->flags & IO_HUP) == 0)
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

/*
 * The first write on a connection that we dialled needs no TCP_NODELAY: nothing small is on its way before it, and only
 * for that would the kernel wait (tcp(7), Minshall's form of RFC 896).
 */
static void
before_write(struct io *io)
{
	static const int on = 1;

	if ((io->flags & (IO_NAGLE | IO_CONNECTED)) != (IO_NAGLE | IO_CONNECTED))
		return;
	io->flags &= ~(unsigned)IO_NAGLE;
	setsockopt(io->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
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
		return tls_io_write(io, parts, n);
	if (io->ops != NULL)
		return io->ops->write(io, parts, n);
	for (int i = 0; i < n; i++)
		len += parts[i].iov_len;
	before_write(io);
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
	before_write(io);
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
	if (io->ssl != NULL && (io->flags & (IO_BROKEN | IO_HANDSHAKE)) == 0)
		tls_io_shut(io);
	shutdown(io->fd, SHUT_WR);
}

void
io_close(struct io *io, bool abort)
{
	static const struct linger now = { .l_onoff = 1, .l_linger = 0 };

	if (io->fd == -1)
		return;
	if (io->ssl != NULL) {
		if (!abort && (io->flags & (IO_BROKEN | IO_HANDSHAKE | IO_SHUT)) == 0)
			tls_io_shut(io);
		SSL_free(io->ssl);
		io->ssl = NULL;
	}
	if (abort)
		setsockopt(io->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(io->fd);
	io->fd = -1;
}
