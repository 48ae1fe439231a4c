/*
 * tls_io - TLS over a socket with as few system calls as there are flights of bytes.
 *
 * OpenSSL's own socket BIO asks the kernel twice for each record that comes, and once for each that goes. Ours reads
 * all that is there at once and sends what one call of OpenSSL has made, or several, at once. Between calls nothing is
 * held, but for what the peer did not take; a ticket, which goes with the first answer; and an answer that goes with
 * the end of the connection (IO_LAST).
 *
 * What io.h has for connections with an ssl is done here. Any thread; each has its own memory for records.
 */
#ifndef ROUTER_TLS_IO_H
#define ROUTER_TLS_IO_H

#include <openssl/types.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

struct io;

/* io, a socket, is about to shake hands: it has an ssl and IO_HANDSHAKE from now on. -1: OpenSSL cannot. */
int tls_io_begin(struct io *io, SSL_CTX *ctx);
/* 1: done; IO_AGAIN or IO_ERROR. */
int tls_io_handshake(struct io *io);
/* As io_read() and io_write(). */
ssize_t tls_io_read(struct io *io, void *data, size_t len);
ssize_t tls_io_write(struct io *io, const struct iovec *parts, int n);
/* Say that nothing more comes from us, if that can be said. */
void tls_io_shut(struct io *io);

#endif
