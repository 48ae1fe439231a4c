/*
 * load - keep a router busy from one thread: each connection asks again as soon as it was answered.
 *
 *   load [-Trwx] [-c CONNECTIONS] [-s SECONDS] [-u BYTES] PORT HOST PATH
 *
 * -T: TLS; -r: with sessions resumed; -x: a connection a request; -u: PUT so much; -w: WebSocket, messages of 125 bytes.
 * Prints the requests answered, those that failed, and the seconds that took.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "libflynn/attr.h"

#define HEAD_MAX 16384
#define FRAME 131
/* Connections that are closed at once by the thousand: from several addresses, as ports are kept for a while. */
#define SOURCES 8

enum state { CONNECTING, SENDING, HEAD, LENGTH, CHUNKED, ECHO };

struct conn {
	int fd;
	SSL *ssl;
	enum state state;
	bool is_upgraded;
	const char *out;
	size_t out_len, upload; /* to be sent yet: of the request's head, of its body */
	size_t left, n_head;
	char head[HEAD_MAX]; /* of the answer; of a chunked body its last bytes */
};

static struct {
	bool tls, resume, close, ws;
	int conns, secs, port;
	size_t upload;
	const char *host, *path;
} o = { .conns = 64, .secs = 1 };

static int ep;
static SSL_CTX *ctx;
static SSL_SESSION *session;
static char *request, frame[FRAME], scratch[256 << 10];
static size_t n_done, n_failed;

static void start(struct conn *c);

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int
on_session(FL_UNUSED SSL *ssl, SSL_SESSION *s)
{
	SSL_SESSION_free(session);
	session = s;
	return 1;
}

static void
make_request(void)
{
	char extra[192] = "";

	if (o.upload > 0)
		snprintf(extra, sizeof(extra), "Content-Length: %zu\r\n", o.upload);
	else if (o.ws)
		snprintf(extra, sizeof(extra), "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
					 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n");
	else if (o.close)
		snprintf(extra, sizeof(extra), "Connection: close\r\n");
	if (asprintf(&request,
		"%s %s HTTP/1.1\r\nHost: %s\r\n"
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
		"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n"
		"Accept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br\r\n"
		"Cookie: session=7c0f2a5be9d14c63a8f0d1b2c3d4e5f60718293a; theme=light\r\n%s\r\n",
		o.upload > 0 ? "PUT" : "GET", o.path, o.host, extra) == -1)
		err(1, "request");
}

static void
hang_up(struct conn *c)
{
	if (c->ssl != NULL)
		SSL_shutdown(c->ssl);
	SSL_free(c->ssl);
	ERR_clear_error();
	close(c->fd);
	c->ssl = NULL;
}

static void
dial(struct conn *c)
{
	static unsigned source;
	struct sockaddr_in from = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK + source++ % SOURCES) };
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)o.port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c };
	int on = 1;

	if ((c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)) == -1)
		err(1, "socket");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	if (bind(c->fd, (struct sockaddr *)&from, sizeof(from)) == -1 ||
	    (connect(c->fd, (struct sockaddr *)&to, sizeof(to)) == -1 && errno != EINPROGRESS) ||
	    epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &e) == -1)
		err(1, "connect");
	c->is_upgraded = false;
	if (o.tls) {
		c->ssl = SSL_new(ctx);
		SSL_set_fd(c->ssl, c->fd);
		SSL_set_tlsext_host_name(c->ssl, o.host);
		SSL_set_connect_state(c->ssl);
		if (o.resume && session != NULL)
			SSL_set_session(c->ssl, session);
	}
	start(c);
}

/* Begin another request. */
static void
start(struct conn *c)
{
	c->state = SENDING;
	c->out = c->is_upgraded ? frame : request;
	c->out_len = c->is_upgraded ? sizeof(frame) : strlen(request);
	c->upload = o.upload;
	c->left = sizeof(frame);
	c->n_head = 0;
}

static ssize_t
receive(struct conn *c, size_t len)
{
	int n;

	if (c->ssl == NULL)
		return recv(c->fd, scratch, len, 0);
	if ((n = SSL_read(c->ssl, scratch, (int)len)) > 0)
		return n;
	errno = SSL_get_error(c->ssl, n) == SSL_ERROR_WANT_READ ? EAGAIN : EIO;
	return -1;
}

static ssize_t
transmit(struct conn *c, const char *data, size_t len)
{
	int n;

	if (c->ssl == NULL)
		return send(c->fd, data, len, MSG_NOSIGNAL);
	if ((n = SSL_write(c->ssl, data, (int)len)) > 0)
		return n;
	n = SSL_get_error(c->ssl, n);
	errno = n == SSL_ERROR_WANT_READ || n == SSL_ERROR_WANT_WRITE ? EAGAIN : EIO;
	return -1;
}

/* False: it cannot go on now; errno says why. */
static bool
send_request(struct conn *c)
{
	while (c->out_len + c->upload > 0) {
		size_t n_body = c->upload < sizeof(scratch) ? c->upload : sizeof(scratch);
		ssize_t n = c->out_len > 0 ? transmit(c, c->out, c->out_len) : transmit(c, scratch, n_body);

		if (n <= 0)
			return false;
		if (c->out_len > 0) {
			c->out += n;
			c->out_len -= (size_t)n;
		} else {
			c->upload -= (size_t)n;
		}
	}
	c->state = c->is_upgraded ? ECHO : HEAD;
	return true;
}

/* The answer's head is whole: what is to come. */
static bool
begin_body(struct conn *c)
{
	const char *length = strcasestr(c->head, "\r\nContent-Length: ");

	c->is_upgraded = strncmp(c->head, "HTTP/1.1 101", 12) == 0;
	if (strncmp(c->head, "HTTP/1.1 200", 12) != 0 && !c->is_upgraded)
		return false;
	c->state = length != NULL || c->is_upgraded ? LENGTH : CHUNKED;
	c->left = length != NULL ? strtoul(length + 18, NULL, 10) : 0;
	return true;
}

/* Take bytes of an answer: 1 it is whole, 0 it is not, -1 it is bad. */
static int
take(struct conn *c, const char *data, size_t len)
{
	static const char last[] = "\r\n0\r\n\r\n";
	char *end;

	if (c->state == HEAD) {
		size_t before = c->n_head, n = len < HEAD_MAX - 1 - before ? len : HEAD_MAX - 1 - before;

		memcpy(c->head + before, data, n);
		c->n_head += n;
		c->head[c->n_head] = '\0';
		if ((end = strstr(c->head, "\r\n\r\n")) == NULL)
			return n < len ? -1 : 0;
		n = (size_t)(end + 4 - c->head) - before;
		if (!begin_body(c))
			return -1;
		data += n;
		len -= n;
	}
	if (c->state == CHUNKED) /* whole pieces end so; a piece that begins behind that would hang, and be seen */
		return len >= sizeof(last) - 1 && memcmp(data + len - (sizeof(last) - 1), last, sizeof(last) - 1) == 0;
	if (len > c->left)
		return -1;
	c->left -= len;
	return c->left == 0;
}

static void
next(struct conn *c, bool is_good)
{
	n_done += is_good;
	n_failed += !is_good;
	if (!is_good || (o.close && !o.ws)) {
		hang_up(c);
		dial(c);
	} else {
		start(c);
	}
}

static void
run(struct conn *c)
{
	for (;;) {
		ssize_t n;
		int whole;

		if (c->state == SENDING && !send_request(c)) {
			if (errno == EAGAIN)
				return;
			next(c, false);
			continue;
		}
		n = receive(c, sizeof(scratch));
		if (n == -1 && errno == EAGAIN)
			return;
		whole = n > 0 ? take(c, scratch, (size_t)n) : -1;
		if (whole != 0)
			next(c, whole == 1);
	}
}

static void
parse(int argc, char **argv)
{
	int opt;

	while ((opt = getopt(argc, argv, "Trwxc:s:u:")) != -1) {
		switch (opt) {
		case 'T': o.tls = true; break;
		case 'r': o.resume = true; break;
		case 'w': o.ws = true; break;
		case 'x': o.close = true; break;
		case 'c': o.conns = atoi(optarg); break;
		case 's': o.secs = atoi(optarg); break;
		case 'u': o.upload = strtoul(optarg, NULL, 10); break;
		default: exit(2);
		}
	}
	if (argc - optind != 3)
		errx(2, "usage: load [-Trwx] [-c CONNECTIONS] [-s SECONDS] [-u BYTES] PORT HOST PATH");
	o.port = atoi(argv[optind]);
	o.host = argv[optind + 1];
	o.path = argv[optind + 2];
}

int
main(int argc, char **argv)
{
	struct epoll_event events[256];
	double began, end;

	parse(argc, argv);
	make_request();
	ep = epoll_create1(0);
	ctx = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT);
	SSL_CTX_sess_set_new_cb(ctx, on_session);
	began = now();
	end = began + o.secs;
	for (int i = 0; i < o.conns; i++) {
		struct conn *c = calloc(1, sizeof(*c));

		if (c == NULL)
			err(1, "conn");
		dial(c);
	}
	while (now() < end) {
		int n = epoll_wait(ep, events, fl_nitems(events), 100);

		for (int i = 0; i < n; i++)
			run(events[i].data.ptr);
	}
	printf("%zu %zu %.3f\n", n_done, n_failed, now() - began);
	return 0;
}
