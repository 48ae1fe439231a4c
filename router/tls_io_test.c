#include "router/tls_io.h"

#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "libflynn/cert.h"
#include "router/io.h"

#define MUCH ((size_t)1 << 20)

/* A client of OpenSSL's own, and our side of the connection. */
struct pair {
	SSL_CTX *ours, *theirs;
	SSL *client;
	int client_fd;
	struct io io;
};

static SSL_CTX *
server_ctx(void)
{
	static const char *const hosts[] = { "localhost" };
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	char *cert, *key, *pin;
	BIO *cert_bio, *key_bio;
	X509 *x;
	EVP_PKEY *k;

	assert_int_equal(fl_cert_make(hosts, 1, &cert, &key, &pin, NULL), 0);
	cert_bio = BIO_new_mem_buf(cert, -1);
	key_bio = BIO_new_mem_buf(key, -1);
	x = PEM_read_bio_X509(cert_bio, NULL, NULL, NULL);
	k = PEM_read_bio_PrivateKey(key_bio, NULL, NULL, NULL);
	assert_int_equal(SSL_CTX_use_certificate(ctx, x), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(ctx, k), 1);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	X509_free(x);
	EVP_PKEY_free(k);
	BIO_free(cert_bio);
	BIO_free(key_bio);
	free(cert);
	free(key);
	free(pin);
	return ctx;
}

static int
set_up(void **state)
{
	struct pair *p = calloc(1, sizeof(*p));
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	p->ours = server_ctx();
	p->theirs = SSL_CTX_new(TLS_client_method());
	p->client_fd = fds[0];
	p->client = SSL_new(p->theirs);
	SSL_set_fd(p->client, fds[0]);
	SSL_set_connect_state(p->client);
	p->io = (struct io){ .fd = fds[1], .flags = IO_READABLE | IO_WRITABLE | IO_CONNECTED };
	assert_int_equal(tls_io_begin(&p->io, p->ours), 0);
	*state = p;
	return 0;
}

static int
tear_down(void **state)
{
	struct pair *p = *state;

	SSL_free(p->client);
	io_close(&p->io, false);
	close(p->client_fd);
	SSL_CTX_free(p->ours);
	SSL_CTX_free(p->theirs);
	free(p);
	return 0;
}

/* Bytes that the client has not read yet. */
static int
n_waiting(const struct pair *p)
{
	int n = 0;

	assert_int_equal(ioctl(p->client_fd, FIONREAD, &n), 0);
	return n;
}

/* Shake hands; with a request, that is there before we see the client's end of it. */
static void
shake_hands(struct pair *p, const char *request)
{
	assert_int_equal(SSL_do_handshake(p->client), -1);
	assert_int_equal(io_handshake(&p->io), IO_AGAIN);
	assert_int_equal(SSL_do_handshake(p->client), 1);
	if (request != NULL)
		assert_int_equal(SSL_write(p->client, request, (int)strlen(request)), (int)strlen(request));
	p->io.flags |= IO_READABLE;
	assert_int_equal(io_handshake(&p->io), 1);
}

static void
say(struct pair *p, const char *text)
{
	struct iovec part = { (char *)text, strlen(text) };

	assert_int_equal(io_write(&p->io, &part, 1), strlen(text));
}

static void
a_ticket_goes_with_the_answer(void **state)
{
	struct pair *p = *state;
	char text[64];

	shake_hands(p, "request");
	assert_int_equal(n_waiting(p), 0);
	assert_true((p->io.flags & IO_READABLE) != 0);
	assert_int_equal(io_read(&p->io, text, sizeof(text)), 7);
	assert_memory_equal(text, "request", 7);
	assert_true((p->io.flags & IO_READABLE) == 0); /* known without another look */
	assert_int_equal(n_waiting(p), 0);
	say(p, "answer");
	assert_int_equal(SSL_read(p->client, text, sizeof(text)), 6);
	assert_memory_equal(text, "answer", 6);
	assert_true(SSL_SESSION_is_resumable(SSL_get0_session(p->client)));
}

static void
a_ticket_does_not_wait_for_a_request(void **state)
{
	struct pair *p = *state;
	char text[64];

	shake_hands(p, NULL);
	assert_int_equal(io_read(&p->io, text, sizeof(text)), IO_AGAIN);
	assert_true(n_waiting(p) > 0);
}

static void
the_last_answer_goes_with_the_end(void **state)
{
	struct pair *p = *state;
	char text[64];

	shake_hands(p, "request");
	assert_int_equal(io_read(&p->io, text, sizeof(text)), 7);
	p->io.flags |= IO_LAST;
	say(p, "answer");
	assert_int_equal(n_waiting(p), 0);
	io_close(&p->io, false);
	assert_int_equal(SSL_read(p->client, text, sizeof(text)), 6);
	assert_memory_equal(text, "answer", 6);
	assert_int_equal(SSL_read(p->client, text, sizeof(text)), 0);
	assert_int_equal(SSL_get_shutdown(p->client), SSL_RECEIVED_SHUTDOWN);
}

static char
byte_at(size_t i)
{
	return (char)(i * 31 + i / 4093);
}

/* In pieces of all sizes, through a socket that takes little at once, read by who is slow. */
static void
much_is_written_whole(void **state)
{
	struct pair *p = *state;
	char *all = malloc(MUCH), *got = malloc(MUCH);
	size_t sent = 0, n_got = 0, size = 1;
	int small = 4096;

	shake_hands(p, NULL);
	setsockopt(p->io.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	for (size_t i = 0; i < MUCH; i++)
		all[i] = byte_at(i);
	while (n_got < MUCH) {
		size_t left = MUCH - sent, first = left < 100 ? left : 100, second = left - first < size ? left - first : size;
		struct iovec parts[2] = { { all + sent, first }, { all + sent + first, second } };
		ssize_t n = left > 0 ? io_write(&p->io, parts, 2) : 0;
		int r = SSL_read(p->client, got + n_got, (int)(MUCH - n_got));

		assert_true(n >= 0 || n == IO_AGAIN);
		sent += n > 0 ? (size_t)n : 0;
		size = size * 3 % 100003;
		n_got += r > 0 ? (size_t)r : 0;
	}
	assert_int_equal(sent, MUCH); /* nothing was held back of what we were told to be gone */
	assert_memory_equal(got, all, MUCH);
	free(all);
	free(got);
}

static void
much_is_read_whole(void **state)
{
	struct pair *p = *state;
	char *all = malloc(MUCH), *got = malloc(MUCH);
	size_t sent = 0, n_got = 0, size = 1;

	shake_hands(p, NULL);
	for (size_t i = 0; i < MUCH; i++)
		all[i] = byte_at(i);
	SSL_set_mode(p->client, SSL_MODE_ENABLE_PARTIAL_WRITE);
	while (n_got < MUCH) {
		int r = sent < MUCH ? SSL_write(p->client, all + sent, (int)(MUCH - sent)) : 0;
		size_t room = MUCH - n_got < size ? MUCH - n_got : size;
		ssize_t n;

		sent += r > 0 ? (size_t)r : 0;
		if (r > 0)
			p->io.flags |= IO_READABLE;
		while ((p->io.flags & IO_READABLE) != 0 && room > 0 && (n = io_read(&p->io, got + n_got, room)) > 0) {
			n_got += (size_t)n;
			room = MUCH - n_got < size ? MUCH - n_got : size;
			size = size * 3 % 100003;
		}
	}
	assert_memory_equal(got, all, MUCH);
	free(all);
	free(got);
}

static void
an_end_comes_behind_the_bytes(void **state)
{
	struct pair *p = *state;
	char text[64];

	shake_hands(p, NULL);
	assert_int_equal(SSL_write(p->client, "last", 4), 4);
	assert_int_equal(SSL_shutdown(p->client), 0);
	p->io.flags |= IO_READABLE;
	assert_int_equal(io_read(&p->io, text, sizeof(text)), 4);
	assert_true((p->io.flags & IO_READABLE) != 0);
	assert_int_equal(io_read(&p->io, text, sizeof(text)), 0);
	assert_int_equal(io_read(&p->io, text, sizeof(text)), 0);
	say(p, "still heard");
}

static void
what_is_no_tls_breaks_it(void **state)
{
	struct pair *p = *state;

	assert_int_equal(write(p->client_fd, "GET / HTTP/1.1\r\n\r\n", 18), 18);
	assert_int_equal(io_handshake(&p->io), IO_ERROR);
	assert_true((p->io.flags & IO_BROKEN) != 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_ticket_goes_with_the_answer, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_ticket_does_not_wait_for_a_request, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_last_answer_goes_with_the_end, set_up, tear_down),
		cmocka_unit_test_setup_teardown(much_is_written_whole, set_up, tear_down),
		cmocka_unit_test_setup_teardown(much_is_read_whole, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_end_comes_behind_the_bytes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_no_tls_breaks_it, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
