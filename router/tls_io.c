#include "router/tls_io.h"

#include <assert.h>
#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "libflynn/attr.h"
#include "libflynn/xmalloc.h"
#include "router/io.h"

/* A record's payload, and what it is longer by at most. */
#define RECORD_MAX ((size_t)16 << 10)
#define RECORD_EXTRA ((size_t)512)
/* So much is read, or sent, at once. */
#define IN_BYTES ((size_t)64 << 10)
#define OUT_BYTES (4 * (RECORD_MAX + RECORD_EXTRA))
/* A read for a handshake: its messages, and maybe a request behind them. */
#define HANDSHAKE_BYTES RECORD_MAX
/* What is kept beyond this is not worth keeping. */
#define UNSENT_MAX ((size_t)256 << 10)

/* Bytes that outlive a call, which is seldom. */
struct kept {
	size_t off, len; /* data[off .. off + len) */
	char data[];
};

/* What the BIO of a connection has. */
struct ends {
	struct io *io;
	struct kept *unread; /* read from the socket, not by OpenSSL */
	struct kept *unsent; /* made by OpenSSL, not taken by the socket */
	size_t n_owed;	     /* the last bytes whose records are in unsent: our caller was told that they were not taken yet */
	bool is_held;	     /* unsent only waits for something to go with: a ticket for an answer, an answer for its end */
};

/* One call's records. */
static _Thread_local struct {
	size_t off, in_len; /* of in: not yet given to OpenSSL */
	size_t in_cap;	    /* to be read at most */
	size_t out_len;
	bool failed; /* the socket takes no more */
	char in[IN_BYTES], out[OUT_BYTES];
} now;

static void
keep(struct kept **at, const char *data, size_t len)
{
	struct kept *k;

	if (len == 0)
		return;
	k = fl_xmalloc(sizeof(*k) + len);
	k->off = 0;
	k->len = len;
	memcpy(k->data, data, len);
	assert(*at == NULL);
	*at = k;
}

static void
drop(struct kept **at, size_t len)
{
	struct kept *k = *at;

	k->off += len;
	k->len -= len;
	if (k->len > 0)
		return;
	free(k);
	*at = NULL;
}

/* More behind what is kept. */
static void
keep_more(struct kept **at, const char *data, size_t len)
{
	struct kept *old = *at;

	*at = fl_xmalloc(sizeof(*old) + old->len + len);
	(*at)->off = 0;
	(*at)->len = old->len + len;
	memcpy(mempcpy((*at)->data, old->data + old->off, old->len), data, len);
	free(old);
}

/* Send now.out; what the socket does not take is kept. */
static void
send_out(struct ends *e)
{
	size_t len = now.out_len;
	ssize_t n = 0;

	now.out_len = 0;
	if (len == 0 || now.failed)
		return;
	if (e->unsent != NULL) {
		/* Little enough, unless the peer reads nothing and makes OpenSSL say ever more. */
		now.failed = e->unsent->len > UNSENT_MAX;
		keep_more(&e->unsent, now.out, len);
		return;
	}
	do
		n = send(e->io->fd, now.out, len, MSG_NOSIGNAL);
	while (n == -1 && errno == EINTR);
	now.failed = n == -1 && errno != EAGAIN;
	if (n == (ssize_t)len || now.failed)
		return;
	e->io->flags &= ~(unsigned)IO_WRITABLE;
	keep(&e->unsent, now.out + (n > 0 ? n : 0), len - (n > 0 ? (size_t)n : 0));
}

/* Send what was kept. False: it is not all gone. */
static bool
send_unsent(struct ends *e)
{
	ssize_t n;

	while (e->unsent != NULL && !now.failed) {
		n = send(e->io->fd, e->unsent->data + e->unsent->off, e->unsent->len, MSG_NOSIGNAL);
		if (n >= 0) {
			drop(&e->unsent, (size_t)n);
		} else if (errno == EAGAIN) {
			e->io->flags &= ~(unsigned)IO_WRITABLE;
			return false;
		} else if (errno != EINTR) {
			now.failed = true;
		}
	}
	return !now.failed;
}

/* Send now.out with what comes next. */
static void
hold(struct ends *e)
{
	if (now.out_len == 0 || now.failed || e->unsent != NULL)
		return;
	keep(&e->unsent, now.out, now.out_len);
	e->is_held = true;
	now.out_len = 0;
}

/* What is held goes before whatever is sent next. */
static void
load_held(struct ends *e)
{
	if (!e->is_held)
		return;
	e->is_held = false;
	memcpy(now.out, e->unsent->data, e->unsent->len);
	now.out_len = e->unsent->len;
	drop(&e->unsent, e->unsent->len);
}

static int
bio_write(BIO *bio, const char *data, size_t len, size_t *written)
{
	struct ends *e = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	load_held(e);
	if (len > sizeof(now.out) - now.out_len)
		send_out(e);
	if (now.failed || len > sizeof(now.out))
		return 0;
	memcpy(now.out + now.out_len, data, len);
	now.out_len += len;
	*written = len;
	return 1;
}

/* Read all that is there. */
static ssize_t
fill(struct ends *e)
{
	struct io *io = e->io;
	ssize_t n;

	if ((io->flags & IO_READABLE) == 0 || now.in_cap == 0) {
		errno = EAGAIN;
		return -1;
	}
	do
		n = recv(io->fd, now.in, now.in_cap, 0);
	while (n == -1 && errno == EINTR);
	/* Less than it could have been: what comes next brings a new edge. */
	if (n == -1 || (n < (ssize_t)now.in_cap && (io->flags & IO_HUP) == 0))
		io->flags &= ~(unsigned)IO_READABLE;
	now.off = 0;
	now.in_len = n > 0 ? (size_t)n : 0;
	return n;
}

static int
bio_read(BIO *bio, char *data, size_t len, size_t *got)
{
	struct ends *e = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	if (e->unread != NULL) {
		*got = len < e->unread->len ? len : e->unread->len;
		memcpy(data, e->unread->data + e->unread->off, *got);
		drop(&e->unread, *got);
		return 1;
	}
	if (now.off == now.in_len) {
		ssize_t n = fill(e);

		if (n == 0)
			BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
		if (n == -1 && errno == EAGAIN)
			BIO_set_retry_read(bio);
		if (n <= 0)
			return 0;
	}
	*got = len < now.in_len - now.off ? len : now.in_len - now.off;
	memcpy(data, now.in + now.off, *got);
	now.off += *got;
	return 1;
}

static long
bio_ctrl(BIO *bio, int what, FL_UNUSED long n, FL_UNUSED void *arg)
{
	switch (what) {
	case BIO_CTRL_FLUSH:
		return 1;
	case BIO_CTRL_EOF:
		return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
	}
	return 0;
}

static int
bio_destroy(BIO *bio)
{
	struct ends *e = BIO_get_data(bio);

	if (e != NULL) {
		free(e->unread);
		free(e->unsent);
		free(e);
	}
	BIO_set_data(bio, NULL);
	return 1;
}

static BIO_METHOD *method;

static void
make_method(void)
{
	method = BIO_meth_new(BIO_TYPE_SOURCE_SINK | BIO_get_new_index(), "socket");
	if (method == NULL || BIO_meth_set_read_ex(method, bio_read) != 1 || BIO_meth_set_write_ex(method, bio_write) != 1 ||
	    BIO_meth_set_ctrl(method, bio_ctrl) != 1 || BIO_meth_set_destroy(method, bio_destroy) != 1)
		abort();
}

int
tls_io_begin(struct io *io, SSL_CTX *ctx)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct ends *e;
	BIO *bio;

	pthread_once(&once, make_method);
	if ((bio = BIO_new(method)) == NULL)
		return -1;
	if ((io->ssl = SSL_new(ctx)) == NULL) {
		BIO_free(bio);
		return -1;
	}
	e = fl_xcalloc(1, sizeof(*e));
	e->io = io;
	BIO_set_data(bio, e);
	BIO_set_init(bio, 1);
	SSL_set_bio(io->ssl, bio, bio);
	io->flags |= IO_HANDSHAKE;
	return 0;
}

static struct ends *
begin(struct io *io, size_t in_cap)
{
	now.off = now.in_len = now.out_len = 0;
	now.in_cap = in_cap;
	now.failed = false;
	ERR_clear_error();
	return BIO_get_data(SSL_get_rbio(io->ssl));
}

static int
broken(struct io *io)
{
	io->flags |= IO_BROKEN;
	io->flags &= ~(unsigned)(IO_READABLE | IO_WRITABLE);
	return IO_ERROR;
}

/* Leave nothing behind. IO_ERROR: the socket takes no more. */
static int
end(struct ends *e)
{
	struct io *io = e->io;

	if (now.off < now.in_len) {
		assert(e->unread == NULL); /* it was used up before more was read */
		keep(&e->unread, now.in + now.off, now.in_len - now.off);
	}
	send_out(e);
	if (now.failed)
		return broken(io);
	if (e->unread != NULL || SSL_pending(io->ssl) > 0)
		io->flags |= IO_READABLE;
	return 0;
}

/* What a failed call of OpenSSL means. */
static int
result(struct io *io, int ret)
{
	switch (SSL_get_error(io->ssl, ret)) {
	case SSL_ERROR_WANT_READ:
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
tls_io_handshake(struct io *io)
{
	struct ends *e = begin(io, HANDSHAKE_BYTES);
	int ret;

	if (!send_unsent(e))
		return now.failed ? broken(io) : IO_AGAIN;
	ret = SSL_accept(io->ssl);
	if (ret == 1) {
		io->flags &= ~(unsigned)IO_HANDSHAKE;
		/* What is made last is a ticket in TLS 1.3: with a request there already, it goes with the answer. */
		if (now.off < now.in_len && SSL_version(io->ssl) >= TLS1_3_VERSION)
			hold(e);
		return end(e) == 0 ? 1 : IO_ERROR;
	}
	ret = result(io, ret);
	if (end(e) != 0 || ret != IO_AGAIN)
		return broken(io);
	return IO_AGAIN;
}

ssize_t
tls_io_read(struct io *io, void *data, size_t len)
{
	struct ends *e = begin(io, len < IN_BYTES ? len : IN_BYTES);
	size_t got = 0, n;
	int ret = 1;
	ssize_t why = 0;

	while (got < len && (ret = SSL_read_ex(io->ssl, (char *)data + got, len - got, &n)) == 1)
		got += n;
	if (got == 0) {
		why = result(io, ret);
		load_held(e); /* no request is there */
	}
	if (end(e) != 0)
		return got > 0 ? (ssize_t)got : IO_ERROR;
	/* An end or an error behind the bytes is told again when it is asked for. */
	if (got > 0 && ret != 1 && !SSL_want_read(io->ssl))
		io->flags |= IO_READABLE;
	return got > 0 ? (ssize_t)got : why;
}

/* The next record's payload: of one part, or gathered from several in record. */
static struct iovec
next_payload(const struct iovec *parts, int n, size_t skip, char record[RECORD_MAX])
{
	size_t len = 0;

	for (int i = 0; i < n; i++) {
		const char *at = (const char *)parts[i].iov_base + skip;
		size_t left = parts[i].iov_len;

		if (skip >= left) {
			skip -= left;
			continue;
		}
		left -= skip;
		skip = 0;
		if (len == 0 && (left >= RECORD_MAX || i == n - 1))
			return (struct iovec){ (void *)at, left < RECORD_MAX ? left : RECORD_MAX };
		if (left > RECORD_MAX - len)
			left = RECORD_MAX - len;
		memcpy(record + len, at, left);
		len += left;
		if (len == RECORD_MAX)
			break;
	}
	return (struct iovec){ record, len };
}

/* Make records of the parts from sum on. Returns the sum with them; *last: how long the last was. */
static ssize_t
make_records(struct ends *e, const struct iovec *parts, int n, size_t sum, size_t *last)
{
	char record[RECORD_MAX];

	while (e->unsent == NULL || e->is_held) {
		struct iovec p = next_payload(parts, n, sum, record);
		int ret;

		if (p.iov_len == 0)
			break;
		ret = SSL_write_ex(e->io->ssl, p.iov_base, p.iov_len, last);
		if (ret != 1) {
			ret = result(e->io, ret);
			return ret == 0 || now.failed ? broken(e->io) : ret;
		}
		sum += *last;
		if (sizeof(now.out) - now.out_len < RECORD_MAX + RECORD_EXTRA)
			send_out(e);
	}
	return (ssize_t)sum;
}

ssize_t
tls_io_write(struct io *io, const struct iovec *parts, int n)
{
	struct ends *e = begin(io, 0);
	size_t last = 0;
	ssize_t sum;

	if (!e->is_held && !send_unsent(e))
		return now.failed ? broken(io) : IO_AGAIN;
	sum = (ssize_t)e->n_owed;
	e->n_owed = 0;
	sum = make_records(e, parts, n, (size_t)sum, &last);
	if ((io->flags & IO_LAST) != 0)
		hold(e);
	if (end(e) != 0)
		return IO_ERROR;
	if (sum > 0 && e->unsent != NULL && !e->is_held) {
		/* The caller must come again: let it have kept something. */
		e->n_owed = last;
		sum -= (ssize_t)last;
	}
	return sum > 0 ? sum : sum == 0 ? IO_AGAIN : sum;
}

void
tls_io_shut(struct io *io)
{
	struct ends *e = begin(io, 0);

	if (!e->is_held)
		send_unsent(e);
	SSL_shutdown(io->ssl);
	end(e);
}
