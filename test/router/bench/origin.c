/*
 * origin - the instance behind a router that is measured: it answers what it has ready, from one thread.
 *
 *   origin PORT...
 *
 * /1m: 1 MiB. /c64k: 64 KiB in chunks of 4. /ws: 101, then all that comes is sent back. Anything else: 1 KiB, once
 * a body of Content-Length has been read. "Connection: close" is obeyed. It trusts whoever asks: no other use.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libflynn/attr.h"

#define HEAD_MAX 8192
#define CHUNK 4096

struct answer {
	char *data;
	size_t len;
};

struct conn {
	int fd;
	bool is_listener, is_echo, is_last;
	size_t n_head, n_body; /* bytes of a request's head; of its body, still to come */
	const char *out;
	size_t out_len;
	char head[HEAD_MAX];
};

static struct answer small, big, chunked, upgrade;
static char scratch[256 << 10];

#define FIELDS "Date: Sun, 22 Nov 2026 12:00:00 GMT\r\nServer: origin\r\nContent-Type: text/plain; charset=utf-8\r\n" \
	       "Cache-Control: max-age=0, private\r\nETag: W/\"3f8a1c5d9e7b2046\"\r\n"

static struct answer
answer_new(const char *head, size_t body)
{
	struct answer a = { malloc(strlen(head) + body), strlen(head) + body };

	if (a.data == NULL)
		err(1, "answer");
	memset(mempcpy(a.data, head, strlen(head)), 'x', body);
	return a;
}

static void
make_answers(void)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	small = answer_new("HTTP/1.1 200 OK\r\n" FIELDS "Content-Length: 1024\r\n\r\n", 1024);
	big = answer_new("HTTP/1.1 200 OK\r\n" FIELDS "Content-Length: 1048576\r\n\r\n", 1 << 20);
	upgrade = answer_new("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
			     "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
	    0);
	fprintf(f, "HTTP/1.1 200 OK\r\n" FIELDS "Transfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; i < 16; i++)
		fprintf(f, "%x\r\n%0*d\r\n", CHUNK, CHUNK, i);
	fprintf(f, "0\r\n\r\n");
	fclose(f);
	chunked = (struct answer){ text, len };
}

static void
poll_for(int ep, struct conn *c)
{
	struct epoll_event e = { .events = EPOLLIN | (c->is_listener ? 0u : EPOLLOUT | EPOLLET), .data.ptr = c };

	if (epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &e) == -1)
		err(1, "epoll_ctl");
}

static struct conn *
conn_new(int ep, int fd, bool is_listener)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (c == NULL)
		err(1, "conn");
	c->fd = fd;
	c->is_listener = is_listener;
	poll_for(ep, c);
	return c;
}

/* The head is whole: have its answer ready. */
static void
begin_answer(struct conn *c)
{
	const char *length = strcasestr(c->head, "\r\nContent-Length: ");
	struct answer a = small;

	if (strncmp(c->head, "GET /1m ", 8) == 0)
		a = big;
	else if (strncmp(c->head, "GET /c64k ", 10) == 0)
		a = chunked;
	else if (strncmp(c->head, "GET /ws ", 8) == 0)
		a = upgrade;
	c->is_echo = a.data == upgrade.data;
	c->is_last = strcasestr(c->head, "\r\nConnection: close\r\n") != NULL;
	c->n_body = length != NULL ? strtoul(length + 18, NULL, 10) : 0;
	c->out = a.data;
	c->out_len = a.len;
}

/* False: the connection has ended. */
static bool
take(struct conn *c, const char *data, size_t len)
{
	while (len > 0) {
		size_t n = len < c->n_body ? len : c->n_body;
		char *end;

		c->n_body -= n;
		data += n;
		len -= n;
		if (len == 0)
			break;
		n = len < HEAD_MAX - 1 - c->n_head ? len : HEAD_MAX - 1 - c->n_head;
		memcpy(c->head + c->n_head, data, n);
		c->n_head += n;
		c->head[c->n_head] = '\0';
		if ((end = strstr(c->head, "\r\n\r\n")) == NULL)
			return n == len;
		n -= c->n_head - (size_t)(end + 4 - c->head); /* of data, that is the head's */
		data += n;
		len -= n;
		end[2] = '\0';
		c->n_head = 0;
		begin_answer(c);
	}
	return true;
}

/* Do all that can be done now. False: the connection has ended. */
static bool
run(struct conn *c)
{
	for (;;) {
		ssize_t n;

		while (c->out_len > 0 && c->n_body == 0) {
			n = send(c->fd, c->out, c->out_len, MSG_NOSIGNAL);
			if (n <= 0)
				return n == -1 && errno == EAGAIN;
			c->out += n;
			c->out_len -= (size_t)n;
			if (c->out_len == 0 && c->is_last)
				return false;
		}
		n = recv(c->fd, scratch, sizeof(scratch), 0);
		if (n <= 0)
			return n == -1 && errno == EAGAIN;
		if (c->is_echo && send(c->fd, scratch, (size_t)n, MSG_NOSIGNAL) != n)
			return false; /* frames are small */
		if (!c->is_echo && !take(c, scratch, (size_t)n))
			return false;
		if ((size_t)n < sizeof(scratch) && (c->out_len == 0 || c->n_body > 0))
			return true;
	}
}

static void
accept_all(int ep, int fd)
{
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	int got;

	while ((got = accept4(fd, (struct sockaddr *)&from, &len, SOCK_NONBLOCK)) != -1)
		conn_new(ep, got, false);
}

static int
listen_on(const char *port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* what is accepted has it, too */
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) == -1 || listen(fd, 4096) == -1)
		err(1, "listen on port %s", port);
	return fd;
}

int
main(int argc, char **argv)
{
	int ep = epoll_create1(0);

	make_answers();
	for (int i = 1; i < argc; i++)
		conn_new(ep, listen_on(argv[i]), true);
	for (;;) {
		struct epoll_event events[64];
		int n = epoll_wait(ep, events, fl_nitems(events), -1);

		for (int i = 0; i < n; i++) {
			struct conn *c = events[i].data.ptr;

			if (c->is_listener) {
				accept_all(ep, c->fd);
			} else if (!run(c)) {
				close(c->fd);
				free(c);
			}
		}
	}
}
