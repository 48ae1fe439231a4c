/*
 * controller_request_fuzz - requests to the controller's API, from their bytes to the handler's first query: the first line
 * of the input is method and target, lines that begin with ">" are headers, the rest is the body. PostgreSQL is away, so whatever is right is answered 503, and
 * whatever is not by an error that clients know. Nothing is ever answered 200 that needs the database, nor 500.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "controller/answer.h"
#include "controller/body.h"
#include "controller/controller.h"
#include "controller/deployments.h"
#include "controller/events.h"
#include "controller/formation_events.h"
#include "controller/job_events.h"
#include "controller/routes.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/clock.h"
#include "libflynn/http_parse.h"
#include "libflynn/http_server.h"
#include "libflynn/json.h"
#include "libflynn/pg.h"
#include "test/fuzz/expect.h"

#define ANSWER_MS 10000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *
no_database(FL_UNUSED void *arg)
{
	return NULL;
}

/* Made once: only requests differ. */
static struct controller *
get_controller(void)
{
	static const struct controller_config cfg;
	static struct controller c;
	struct fl_pg_opts pg = { .conninfo = no_database, .wait_ms = 1 };

	if (c.base != NULL)
		return &c;
	setenv("LOG_LEVEL", "error", 1);
	c.base = event_base_new();
	c.cfg = &cfg;
	LIST_INIT(&c.runs);
	LIST_INIT(&c.logs);
	LIST_INIT(&c.app_logs);
	LIST_INIT(&c.askings);
	c.pg = fl_pg_new(c.base, &pg);
	c.formation_events = formation_events_new(&c);
	c.job_events = job_events_new(&c);
	c.events = events_new(&c);
	c.deployments = deployments_new(&c);
	c.http = fl_http_new(c.base, NULL);
	fl_http_set_max_body(c.http, BODY_MAX_RELEASE);
	fl_http_set_refuse(c.http, answer_refused);
	expect(routes_listen(&c, "127.0.0.1:0", NULL) == 0);
	return &c;
}

static int
dial(const struct controller *c)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)fl_http_port(c->http)) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	expect(fd != -1 && connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

/* Take a line off the input, in visible characters. */
static void
take_line(const char **data, size_t *size, struct fl_buf *out)
{
	const char *end = memchr(*data, '\n', *size);
	size_t len = end != NULL ? (size_t)(end - *data) : *size;

	for (size_t i = 0; i < len; i++)
		fl_buf_addc(out, (*data)[i] > ' ' && (*data)[i] < 0x7f ? (*data)[i] : ' ');
	len += end != NULL;
	*data += len;
	*size -= len;
}

/* The request of an input; false: one that needs another daemon before the database. */
static bool
make_request(const char *data, size_t size, struct fl_buf *out)
{
	take_line(&data, &size, out);
	if (strstr(fl_buf_cstr(out), "/routes") != NULL || strstr(fl_buf_cstr(out), "/ca-cert") != NULL)
		return false;
	fl_buf_addstr(out, " HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Type: application/json\r\n");
	while (size > 0 && *data == '>') {
		data++;
		size--;
		take_line(&data, &size, out);
		fl_buf_addstr(out, "\r\n");
	}
	fl_buf_addf(out, "Content-Length: %zu\r\n\r\n", size);
	if (size > 0)
		fl_buf_add(out, data, size);
	return true;
}

/* Both ends of the connection run here. */
static void
talk(struct controller *c, int fd, const struct fl_buf *request, struct fl_buf *answer)
{
	int64_t until_ms = fl_clock_ms() + ANSWER_MS;
	size_t sent = 0;
	char piece[65536];
	ssize_t n;

	while ((n = recv(fd, piece, sizeof(piece), 0)) != 0) {
		if (n > 0)
			fl_buf_add(answer, piece, (size_t)n);
		else if (errno != EAGAIN)
			break;
		if (sent < request->len && (n = send(fd, request->data + sent, request->len - sent, MSG_NOSIGNAL)) > 0)
			sent += (size_t)n;
		event_base_loop(c->base, EVLOOP_NONBLOCK);
		expect(fl_clock_ms() < until_ms); /* every request is answered */
	}
}

static void
check_answer(const struct fl_buf *answer)
{
	struct fl_http_head head;
	struct fl_json *v;
	const char *body;

	if (answer->len == 0) /* reset: the request was no request */
		return;
	expect(fl_http_parse_response(answer->data, answer->len, &head, NULL) == FL_HTTP_PARSE_DONE);
	expect(head.status == 200 || head.status == 400 || head.status == 404 || head.status == 405 || head.status == 413 ||
	    head.status == 415 || head.status == 417 || head.status == 431 || head.status == 501 || head.status == 503 || head.status == 505);
	body = answer->data + head.head_len;
	if (head.status != 400 || *body != '{')
		return;
	v = fl_json_parse(body, answer->len - head.head_len, NULL);
	expect(v != NULL && *fl_json_str(fl_json_get(v, "message"), "") != '\0');
	fl_json_free(v);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct linger at_once = { 1, 0 };
	struct controller *c = get_controller();
	struct fl_buf request = { 0 }, answer = { 0 };
	int fd;

	if (make_request((const char *)data, size, &request)) {
		fd = dial(c);
		talk(c, fd, &request, &answer);
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
		close(fd);
		check_answer(&answer);
	}
	fl_buf_release(&request);
	fl_buf_release(&answer);
	return 0;
}
