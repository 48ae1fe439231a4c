#include "host/health.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/job.h"
#include "libflynn/buf.h"
#include "libflynn/clock.h"
#include "libflynn/err.h"
#include "libflynn/http_client.h"
#include "libflynn/xmalloc.h"

#define FIRST_DELAY_MS 50
#define MAX_DELAY_MS 1000
#define FAST_TRIES 20
#define TRY_TIMEOUT_MS 2000
#define DEFAULT_TIMEOUT_S 30
/* What nobody can ask is healthy once it has lived so long: a wrong command ends sooner. */
#define SETTLE_MS 1000

struct check {
	struct health *health;
	size_t port;
	struct event *timer; /* to the next try */
	struct event *connected;
	int fd; /* of a try by TCP; -1: none */
	struct fl_http_call *call; /* of a try by HTTP */
	int tries;
	int64_t deadline_ms;
	int status;
	char seen[160];
	bool healthy;
};

struct health {
	struct job *job;
	void (*cb)(struct job *, const struct health_failure *);
	struct event *settled; /* of a job without services */
	size_t n, left;
	struct check checks[];
};

int
health_delay_ms(int n)
{
	int delay = FIRST_DELAY_MS;

	for (int i = FAST_TRIES; i < n && delay < MAX_DELAY_MS; i++)
		delay += delay / 4;
	return delay < MAX_DELAY_MS ? delay : MAX_DELAY_MS;
}

static const struct fl_job_port *
check_port(const struct check *c)
{
	return &job_spec(c->health->job)->ports[c->port];
}

static void
check_release(struct check *c)
{
	if (c->timer != NULL)
		event_free(c->timer);
	if (c->connected != NULL)
		event_free(c->connected);
	if (c->fd != -1)
		close(c->fd);
	if (c->call != NULL)
		fl_http_call_cancel(c->call);
}

void
health_cancel(struct health *h)
{
	if (h == NULL)
		return;
	for (size_t i = 0; i < h->n; i++)
		check_release(&h->checks[i]);
	if (h->settled != NULL)
		event_free(h->settled);
	free(h);
}

/* Ends h: its owner's pointer is cleared first. */
static void
health_end(struct health *h, const struct health_failure *failure)
{
	struct job *j = h->job;
	void (*cb)(struct job *, const struct health_failure *) = h->cb;

	j->health = NULL;
	health_cancel(h);
	cb(j, failure);
}

static void
check_passed(struct check *c)
{
	struct health *h = c->health;

	c->healthy = true;
	if (--h->left == 0)
		health_end(h, NULL);
}

static void
check_again(struct check *c)
{
	int delay = health_delay_ms(++c->tries);
	struct timeval wait = { delay / 1000, delay % 1000 * 1000 };
	struct health_failure failure = { .port = c->port, .timeout_s = check_port(c)->timeout_s, .status = c->status };

	if (fl_clock_ms() + delay < c->deadline_ms) {
		event_add(c->timer, &wait);
		return;
	}
	memcpy(failure.seen, c->seen, sizeof(failure.seen));
	health_end(c->health, &failure);
}

/* ---- one try ---- */

static void
on_connected(evutil_socket_t fd, short what, void *arg)
{
	struct check *c = arg;
	int error = 0;
	socklen_t len = sizeof(error);

	if (what & EV_TIMEOUT)
		error = ETIMEDOUT;
	else
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
	event_free(c->connected);
	c->connected = NULL;
	close(c->fd);
	c->fd = -1;
	if (error == 0) {
		check_passed(c);
		return;
	}
	snprintf(c->seen, sizeof(c->seen), "%s", strerror(error));
	check_again(c);
}

static const char *
check_ip(const struct check *c)
{
	const struct job *j = c->health->job;

	if (job_spec(j)->host_network || j->active->internal_ip == NULL)
		return j->host->cfg->external_ip;
	return j->active->internal_ip;
}

static void
try_tcp(struct check *c)
{
	static const struct timeval limit = { TRY_TIMEOUT_MS / 1000, TRY_TIMEOUT_MS % 1000 * 1000 };
	struct sockaddr_in addr = { .sin_family = AF_INET };

	addr.sin_port = htons((uint16_t)c->health->job->active->ports[c->port]);
	if (inet_pton(AF_INET, check_ip(c), &addr.sin_addr) != 1 ||
	    (c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) == -1 ||
	    (connect(c->fd, (struct sockaddr *)&addr, sizeof(addr)) == -1 && errno != EINPROGRESS)) {
		snprintf(c->seen, sizeof(c->seen), "%s", strerror(errno));
		if (c->fd != -1)
			close(c->fd);
		c->fd = -1;
		check_again(c);
		return;
	}
	c->connected = event_new(c->health->job->host->base, c->fd, EV_WRITE | EV_TIMEOUT, on_connected, c);
	event_add(c->connected, &limit);
}

static bool
is_healthy_status(const struct fl_job_port *port, int status)
{
	if (port->check_status != 0)
		return status == port->check_status;
	return status >= 200 && status < 400;
}

static void
on_answer(const struct fl_http_result *res, const struct fl_err *err, void *arg)
{
	struct check *c = arg;

	c->call = NULL;
	c->status = err == NULL ? res->status : 0;
	if (err == NULL && is_healthy_status(check_port(c), res->status)) {
		check_passed(c);
		return;
	}
	if (err != NULL)
		snprintf(c->seen, sizeof(c->seen), "%.*s", (int)sizeof(c->seen) - 1, err->msg);
	check_again(c);
}

static const char *
port_path(const struct fl_job_port *port)
{
	return port->check_path != NULL ? port->check_path : "/";
}

void
health_explain(const struct fl_job_port *port, int status, struct fl_buf *out)
{
	if (status == 0)
		fl_buf_addf(out, "GET %s had no answer for %d s", port_path(port), port->timeout_s);
	else
		fl_buf_addf(out, "GET %s answered %d for %d s", port_path(port), status, port->timeout_s);
	if (status != 0 && port->check_status != 0)
		fl_buf_addf(out, ", and not %d", port->check_status);
}

/* The status tells; what comes with it may be of any length. */
static int
on_body(FL_UNUSED const char *data, FL_UNUSED size_t len, FL_UNUSED void *arg)
{
	return 0;
}

static void
try_http(struct check *c)
{
	const struct job *j = c->health->job;
	char *url = fl_xasprintf("http://%s:%d%s", check_ip(c), j->active->ports[c->port], port_path(check_port(c)));
	struct fl_http_call_opts opts = {
		.url = url, .timeout_ms = TRY_TIMEOUT_MS, .connect_timeout_ms = TRY_TIMEOUT_MS, .on_data = on_body
	};

	c->call = fl_http_client_start(j->host->client, &opts, on_answer, c);
	free(url);
}

static void
on_time(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct check *c = arg;
	const char *kind = check_port(c)->check;

	if (kind != NULL && strcmp(kind, "none") == 0)
		check_passed(c);
	else if (kind != NULL && strcmp(kind, "http") == 0)
		try_http(c);
	else if (strcmp(check_port(c)->proto, "udp") == 0)
		check_passed(c); /* nothing answers a knock there */
	else
		try_tcp(c);
}

static void
on_settled(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	health_end(arg, NULL);
}

struct health *
health_start(struct job *j, void (*cb)(struct job *, const struct health_failure *))
{
	const struct fl_job *spec = job_spec(j);
	struct health *h = fl_xcalloc(1, sizeof(*h) + spec->n_ports * sizeof(h->checks[0]));
	static const struct timeval now = { 0, 0 }, settle = { SETTLE_MS / 1000, SETTLE_MS % 1000 * 1000 };

	h->job = j;
	h->cb = cb;
	for (size_t i = 0; i < spec->n_ports; i++) {
		struct check *c = &h->checks[h->n];
		int timeout_s = spec->ports[i].timeout_s > 0 ? spec->ports[i].timeout_s : DEFAULT_TIMEOUT_S;

		if (spec->ports[i].service == NULL)
			continue;
		h->n++;
		*c = (struct check){ .health = h, .port = i, .fd = -1 };
		c->deadline_ms = fl_clock_ms() + (int64_t)timeout_s * 1000;
		c->timer = event_new(j->host->base, -1, 0, on_time, c);
		event_add(c->timer, &now);
	}
	h->left = h->n;
	if (h->n == 0) {
		h->settled = evtimer_new(j->host->base, on_settled, h);
		event_add(h->settled, &settle);
	}
	return h;
}
