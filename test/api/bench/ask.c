/*
 * ask - put requests to the controller's API and say how they fared.
 *
 *   ask [-c CONNECTIONS] [-n REQUESTS] [-s SECONDS] [-r RATE] PORT KEY <REQUESTS
 *
 * Standard input has a request a line, "METHOD PATH [BODY]"; they are asked in turn, again from the first when all were, until
 * REQUESTS were answered or SECONDS are over. -r: so many a second, each at its time, and waiting from then on, however late
 * a connection is free for it; without, each connection asks again once it was answered.
 * Prints the answers a second, the milliseconds of the median and of the 99th percentile, and how many were not 200.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "libflynn/attr.h"

#define ANSWER_MAX ((size_t)4 << 20)

struct conn {
	int fd;
	bool busy;
	double due; /* when it was to be asked */
	char *in;
	size_t n_in;
};

static struct {
	int conns, port;
	size_t n;
	double secs, rate;
	const char *key;
} o = { .conns = 8, .n = (size_t)-1, .secs = 1e9 };

static char **requests;
static size_t n_requests, n_asked, n_answered, n_bad, n_kept;
static double *waited; /* of each answer, in seconds */

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void *
grow(void *p, size_t n, size_t size)
{
	if ((n & (n - 1)) != 0) /* at powers of two alone */
		return p;
	p = reallocarray(p, n == 0 ? 1 : 2 * n, size);
	if (p == NULL)
		err(1, "memory");
	return p;
}

static const char *
base64_key(void)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	static char out[512];
	char in[256] = ":";
	size_t n = 0, len;

	strncat(in, o.key, sizeof(in) - 4);
	len = strlen(in);
	for (size_t i = 0; i < len; i += 3) {
		unsigned v = (unsigned)(unsigned char)in[i] << 16 | (unsigned)(unsigned char)in[i + 1] << 8 | (unsigned char)in[i + 2];

		for (unsigned j = 0; j < 4; j++)
			out[n++] = i + j > len ? '=' : digits[v >> (18 - 6 * j) & 63];
	}
	return out;
}

static void
read_requests(void)
{
	char method[16], path[512], *line = NULL, *request;
	size_t size = 0;
	ssize_t len;
	int body = 0;

	while ((len = getline(&line, &size, stdin)) > 0) {
		line[len - 1] = '\0';
		if (sscanf(line, "%15s %511s %n", method, path, &body) != 2)
			errx(2, "no request: %s", line);
		if (asprintf(&request, "%s %s HTTP/1.1\r\nHost: controller\r\nAuthorization: Basic %s\r\nContent-Type: application/json\r\n"
				       "Content-Length: %zu\r\n\r\n%s", method, path, base64_key(), strlen(line + body), line + body) == -1)
			err(1, "memory");
		requests = grow(requests, n_requests, sizeof(*requests));
		requests[n_requests++] = request;
	}
	free(line);
	if (n_requests == 0)
		errx(2, "no requests");
}

static void
ask(struct conn *c, double due)
{
	const char *request = requests[n_asked++ % n_requests];
	size_t len = strlen(request);

	c->busy = true;
	c->due = due;
	c->n_in = 0;
	for (ssize_t n; len > 0; request += n, len -= (size_t)n)
		if ((n = send(c->fd, request, len, MSG_NOSIGNAL)) <= 0) /* requests are small: it does not block for long */
			err(1, "send");
}

/* Whether the answer is whole. */
static bool
is_whole(const struct conn *c)
{
	const char *end, *length;

	c->in[c->n_in] = '\0';
	if ((end = strstr(c->in, "\r\n\r\n")) == NULL)
		return false;
	length = strcasestr(c->in, "\r\nContent-Length: ");
	return length == NULL || length > end || c->n_in >= (size_t)(end + 4 - c->in) + strtoul(length + 18, NULL, 10);
}

static void
receive(struct conn *c)
{
	ssize_t n = recv(c->fd, c->in + c->n_in, ANSWER_MAX - 1 - c->n_in, MSG_DONTWAIT);

	if (n == -1 && errno == EAGAIN)
		return;
	if (n <= 0)
		errx(1, "a connection ended: %s", n == 0 ? "closed" : strerror(errno));
	c->n_in += (size_t)n;
	if (!is_whole(c))
		return;
	c->busy = false;
	n_answered++;
	n_bad += strncmp(c->in, "HTTP/1.1 200", 12) != 0;
	waited = grow(waited, n_kept, sizeof(*waited));
	waited[n_kept++] = now() - c->due;
}

static void
dial(struct conn *c, int ep)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)o.port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = c };
	int on = 1;

	c->in = malloc(ANSWER_MAX);
	c->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (c->in == NULL || c->fd == -1 || connect(c->fd, (struct sockaddr *)&to, sizeof(to)) == -1 ||
	    epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &e) == -1)
		err(1, "connect to port %d", o.port);
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static int
by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Ask on all free connections what is due. Returns milliseconds to wait, -1: for an answer. */
static int
ask_due(struct conn *conns, double began)
{
	for (int i = 0; i < o.conns && n_asked < o.n; i++) {
		double due = o.rate > 0 ? began + (double)n_asked / o.rate : now();

		if (due > now())
			return (int)((due - now()) * 1000) + 1;
		if (!conns[i].busy)
			ask(&conns[i], due);
	}
	return o.rate > 0 ? 1 : -1;
}

static void
parse(int argc, char **argv)
{
	int opt;

	while ((opt = getopt(argc, argv, "c:n:s:r:")) != -1) {
		switch (opt) {
		case 'c': o.conns = atoi(optarg); break;
		case 'n': o.n = strtoul(optarg, NULL, 10); break;
		case 's': o.secs = strtod(optarg, NULL); break;
		case 'r': o.rate = strtod(optarg, NULL); break;
		default: exit(2);
		}
	}
	if (argc - optind != 2)
		errx(2, "usage: ask [-c CONNECTIONS] [-n REQUESTS] [-s SECONDS] [-r RATE] PORT KEY <REQUESTS");
	o.port = atoi(argv[optind]);
	o.key = argv[optind + 1];
}

int
main(int argc, char **argv)
{
	struct epoll_event events[64];
	struct conn *conns;
	double began, took;
	int ep = epoll_create1(0);

	parse(argc, argv);
	read_requests();
	if ((conns = calloc((size_t)o.conns, sizeof(*conns))) == NULL)
		err(1, "memory");
	for (int i = 0; i < o.conns; i++)
		dial(&conns[i], ep);
	began = now();
	while (n_answered < o.n && now() - began < o.secs) {
		int wait_ms = ask_due(conns, began), n = epoll_wait(ep, events, fl_nitems(events), wait_ms);

		for (int i = 0; i < n; i++)
			receive(events[i].data.ptr);
	}
	took = now() - began;
	if (n_kept == 0)
		errx(1, "nothing was answered");
	qsort(waited, n_kept, sizeof(*waited), by_size);
	printf("%.0f %.2f %.2f %zu\n", (double)n_answered / took, 1000 * waited[n_kept / 2], 1000 * waited[n_kept * 99 / 100], n_bad);
	return 0;
}
