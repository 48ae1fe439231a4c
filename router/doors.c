#include "router/doors.h"

#include <event2/event.h>
#include <stdlib.h>
#include <unistd.h>

#include "libflynn/attr.h"
#include "libflynn/err.h"
#include "libflynn/http_server.h"
#include "libflynn/log.h"
#include "libflynn/xmalloc.h"
#include "router/acme.h"
#include "router/footprint.h"
#include "router/handover.h"
#include "router/listener.h"
#include "router/predecessor.h"
#include "router/router.h"
#include "router/successor.h"
#include "router/sync.h"

/* How long connections wait at our start for routes and instances to be known. */
#define OPEN_LATE_S 3
/*
 * How long one that has handed over waits to be told to end, when a flynn-host keeps it: that would start
 * it again if it ended by itself, and stops it soon, as its job has been replaced.
 */
#define KEPT_S 600

struct doors {
	struct router *r;
	struct sockets listening, inherited;
	int *http_fds, *https_fds; /* until they are open; NULL then */
	size_t n_http, n_https;

	int predecessor_fd; /* -1: none, or it has gone */
	struct event *predecessor_heard;
	struct event *open_late;
	struct predecessor *heirs; /* once we are the one to ask: our side towards successors */

	struct event *drained; /* the workers have, all of them */
	struct event *retired; /* a successor serves, and we have had our time */
	bool is_retiring, is_ending;
	int n_draining; /* of workers; and the API and ACME once we end */
};

struct sockets *
doors_listening(struct doors *d)
{
	return &d->listening;
}

struct sockets *
doors_inherited(struct doors *d)
{
	return &d->inherited;
}

/* ---- the end ---- */

static void
check_end(struct doors *d)
{
	if (--d->n_draining == 0 && d->is_ending)
		event_base_loopexit(d->r->base, NULL);
}

static void
on_api_drained(void *arg)
{
	check_end(arg);
}

static void
end_api(struct doors *d)
{
	d->is_ending = true;
	d->n_draining++;
	fl_http_drain(d->r->http, on_api_drained, d);
	if (d->r->acme == NULL)
		return;
	d->n_draining++;
	acme_stop(d->r->acme, on_api_drained, d);
}

static void
drain_workers(struct doors *d, bool is_gentle)
{
	d->n_draining++;
	atomic_store(&d->r->plane.n_undrained, d->r->n_workers);
	for (size_t i = 0; i < d->r->n_workers; i++)
		worker_drain(d->r->workers[i], is_gentle);
}

static bool
is_kept(void)
{
	const char *job = getenv("FLYNN_JOB_ID");

	return job != NULL && *job != '\0';
}

static void
on_workers_drained(evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct doors *d = arg;
	uint64_t n;

	if (read(fd, &n, sizeof(n)) != sizeof(n))
		return;
	if (d->is_retiring && !d->is_ending && !is_kept())
		end_api(d);
	check_end(d);
}

static void
on_retired(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	const struct doors *d = arg;

	fl_log_info("ending: a successor serves", fl_int("clients", router_counter(d->r, COUNT_OPEN)));
	event_base_loopbreak(d->r->base);
}

/* A successor accepts: finish what is under way. Connections that are idle may send one more request. */
static void
on_relieved(void *arg)
{
	struct doors *d = arg;
	struct timeval limit = { .tv_sec = is_kept() ? KEPT_S : d->r->cfg->drain_timeout_s };

	d->is_retiring = true;
	sockets_release(&d->listening, false);
	evtimer_add(d->retired, &limit);
	drain_workers(d, true);
	if (d->r->acme != NULL)
		acme_stop(d->r->acme, NULL, NULL);
}

/* ---- the beginning ---- */

/* We are the one that has the sockets: successors may ask us. */
static void
take_charge(struct doors *d)
{
	struct socket_group *point;
	struct predecessor_config config = {
		.base = d->r->base,
		.http_port = listener_port(d->r->cfg->http_addr),
		.key = d->r->cfg->key,
		.sockets = &d->listening,
		.on_relieved = on_relieved,
		.arg = d,
	};

	if (d->is_ending)
		return;
	point = sockets_remove(&d->inherited, SOCKET_HANDOVER, 0);
	d->heirs = predecessor_new(&config, point != NULL ? point->fds[0] : -1);
	free(point);
}

/*
 * Let connections come. As long as a predecessor serves, those in sockets of which it does not know would have
 * to wait for us.
 */
static int
listen_now(const struct doors *d, struct fl_err *err)
{
	struct fl_err why = { 0 };

	if (sockets_listen(d->http_fds, d->n_http, &why) == -1 || sockets_listen(d->https_fds, d->n_https, &why) == -1)
		return fl_err_set(err, FL_ERR_CONFLICT, "a port is used by another program on this machine: %s", why.msg);
	return 0;
}

/* The same when there is no way back. */
static void
listen_at_last(const struct doors *d)
{
	struct fl_err err = { 0 };

	if (listen_now(d, &err) == -1)
		fl_log_error("cannot listen", fl_str("err", err.msg));
}

static void
hand_to_workers(struct doors *d, int **fds, size_t n, const char *addr, bool is_tls)
{
	int port = listener_port(addr);

	for (size_t i = 0; i < n; i++)
		worker_listen(d->r->workers[i % d->r->n_workers], (*fds)[i], port, is_tls, false);
	sockets_add(&d->listening, is_tls ? SOCKET_HTTPS : SOCKET_HTTP, port, *fds, n);
	free(*fds);
	*fds = NULL;
}

/* Let workers accept. */
static void
open_up(struct doors *d)
{
	const struct router *r = d->r;

	if (d->http_fds == NULL)
		return;
	evtimer_del(d->open_late);
	listen_at_last(d);
	hand_to_workers(d, &d->http_fds, d->n_http, r->cfg->http_addr, false);
	hand_to_workers(d, &d->https_fds, d->n_https, r->cfg->https_addr, true);
	footprint_trim_soon(r->base);
	fl_log_info("ready", fl_str("http", r->cfg->http_addr), fl_str("https", r->cfg->https_addr),
	    fl_int("threads", r->n_workers), fl_int("routes", sync_count(r->sync)));
	if (d->predecessor_fd != -1)
		successor_ready(d->predecessor_fd); /* its goodbye makes us the one to ask */
	else
		take_charge(d);
}

static void
on_open_late(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct doors *d = arg;

	fl_log_warn("accepting without all routes and instances",
	    fl_str("waits_for", sync_is_ready(d->r->sync) ? "discoverd" : "etcd"), fl_int("after_s", OPEN_LATE_S));
	open_up(d);
}

static void
wait_for_routes(struct doors *d)
{
	evtimer_add(d->open_late, &(struct timeval){ .tv_sec = OPEN_LATE_S });
}

/* The predecessor has said goodbye, or has ended: if too early, we have its sockets all the same. */
static void
on_predecessor(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct doors *d = arg;

	event_free(d->predecessor_heard);
	d->predecessor_heard = NULL;
	close(d->predecessor_fd);
	d->predecessor_fd = -1;
	if (d->http_fds != NULL) {
		listen_at_last(d);
		wait_for_routes(d);
	} else {
		take_charge(d);
	}
	doors_changed(d);
}

void
doors_begin(struct doors *d)
{
	if (d->predecessor_fd == -1) {
		wait_for_routes(d);
		return;
	}
	/* It serves, and knows more than we do: we need not be quick. */
	d->predecessor_heard = event_new(d->r->base, d->predecessor_fd, EV_READ, on_predecessor, d);
	event_add(d->predecessor_heard, NULL);
}

void
doors_changed(struct doors *d)
{
	bool is_settled = d->http_fds == NULL && LIST_EMPTY(&d->inherited);

	if (is_settled || !sync_is_complete(d->r->sync))
		return;
	open_up(d);
	if (d->predecessor_fd == -1)
		sockets_release(&d->inherited, true); /* of routes that are no more */
}

void
doors_stop(struct doors *d)
{
	bool has_heir = d->heirs != NULL && predecessor_is_leaving(d->heirs);

	predecessor_free(d->heirs);
	d->heirs = NULL;
	d->is_ending = true;
	if (d->predecessor_fd == -1)
		open_up(d); /* for those that wait; else they are the predecessor's */
	if (!d->is_retiring)
		drain_workers(d, has_heir);
	end_api(d);
}

void
doors_free(struct doors *d)
{
	struct event *events[] = { d != NULL ? d->open_late : NULL, d != NULL ? d->retired : NULL, d != NULL ? d->drained : NULL,
		d != NULL ? d->predecessor_heard : NULL };

	if (d == NULL)
		return;
	predecessor_free(d->heirs);
	for (size_t i = 0; i < fl_nitems(events); i++)
		if (events[i] != NULL)
			event_free(events[i]);
	if (d->predecessor_fd != -1)
		close(d->predecessor_fd);
	sockets_close(d->http_fds, d->n_http);
	sockets_close(d->https_fds, d->n_https);
	sockets_release(&d->inherited, true);
	sockets_release(&d->listening, false);
	free(d);
}

struct doors *
doors_new(struct router *r, struct fl_err *err)
{
	const struct router_config *cfg = r->cfg;
	struct doors *d = fl_xcalloc(1, sizeof(*d));

	d->r = r;
	LIST_INIT(&d->listening);
	LIST_INIT(&d->inherited);
	d->open_late = evtimer_new(r->base, on_open_late, d);
	d->retired = evtimer_new(r->base, on_retired, d);
	d->drained = event_new(r->base, r->plane.drained_fd, EV_READ | EV_PERSIST, on_workers_drained, d);
	event_add(d->drained, NULL);
	d->predecessor_fd = successor_ask(listener_port(cfg->http_addr), cfg->key, &d->inherited);
	if ((d->http_fds = sockets_bind(&d->inherited, SOCKET_HTTP, cfg->http_addr, r->n_workers, &d->n_http, err)) == NULL ||
	    (d->https_fds = sockets_bind(&d->inherited, SOCKET_HTTPS, cfg->https_addr, r->n_workers, &d->n_https, err)) == NULL ||
	    (d->predecessor_fd == -1 && listen_now(d, err) == -1)) {
		doors_free(d);
		return NULL;
	}
	return d;
}
