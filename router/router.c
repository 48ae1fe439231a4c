#include "router/router.h"

#include <errno.h>
#include <event2/event.h>
#include <malloc.h>
#include <openssl/ssl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/discoverd.h"
#include "libflynn/err.h"
#include "libflynn/etcd.h"
#include "libflynn/http_server.h"
#include "libflynn/log.h"
#include "libflynn/xmalloc.h"
#include "router/acme.h"
#include "router/admission.h"
#include "router/api.h"
#include "router/congestion.h"
#include "router/doors.h"
#include "router/journal.h"
#include "router/listener.h"
#include "router/reclaim.h"
#include "router/requests.h"
#include "router/route_metrics.h"
#include "router/seen.h"
#include "router/sync.h"
#include "router/table.h"
#include "router/tickets.h"
#include "router/tls.h"
#include "router/tls_cert.h"

#define MAX_THREADS 64
/* The part of the machine's memory that buffers may take unless an option says, and what they may take at least. */
#define BUFFER_SHARE 8
#define BUFFER_MIN ((size_t)64 << 20)

uint64_t
router_counter(const struct router *r, enum counter c)
{
	uint64_t n = 0;

	for (size_t i = 0; i < r->n_workers; i++)
		n += worker_counter(r->workers[i], c);
	return n;
}

static void
write_access_log(struct fl_buf *b, const struct router *r)
{
	if (r->access_log == NULL)
		return;
	fl_buf_addf(b, "# TYPE flynn_router_access_log_lines counter\n# HELP flynn_router_access_log_lines Lines written.\n"
		       "flynn_router_access_log_lines_total %llu\n",
	    (unsigned long long)access_log_written(r->access_log));
	fl_buf_addf(b, "# TYPE flynn_router_access_log_missed counter\n"
		       "# HELP flynn_router_access_log_missed Requests that it cannot tell of, as it was not read in time.\n"
		       "flynn_router_access_log_missed_total %llu\n",
	    (unsigned long long)access_log_missed(r->access_log));
}

static void
write_acme(struct fl_buf *b, const struct router *r)
{
	uint64_t done = 0, failed = 0;

	if (r->acme == NULL)
		return;
	acme_count(r->acme, &done, &failed);
	fl_buf_addf(b, "# TYPE flynn_router_acme_orders counter\n# HELP flynn_router_acme_orders Certificates ordered by this router.\n"
		       "flynn_router_acme_orders_total{result=\"done\"} %llu\nflynn_router_acme_orders_total{result=\"failed\"} %llu\n",
	    (unsigned long long)done, (unsigned long long)failed);
}

static void
write_metrics(struct fl_buf *b, void *arg)
{
	static const struct {
		enum counter counter;
		const char *name, *type, *suffix, *help;
	} rows[] = {
		{ COUNT_CLIENTS, "clients", "counter", "_total", "Connections accepted." },
		{ COUNT_OPEN, "clients_open", "gauge", "", "Connections of clients open now." },
		{ COUNT_HANDSHAKES, "tls_handshakes", "counter", "_total", "TLS handshakes done." },
		{ COUNT_RESUMED, "tls_resumed", "counter", "_total", "TLS handshakes that went on with an earlier session." },
		{ COUNT_HANDSHAKE_FAILURES, "tls_handshake_failures", "counter", "_total", "TLS handshakes failed." },
		{ COUNT_DIALS, "connects", "counter", "_total", "Connections begun to instances." },
		{ COUNT_DIAL_FAILURES, "connect_failures", "counter", "_total", "Connections that instances did not accept." },
		{ COUNT_RETRIES, "retries", "counter", "_total", "Requests sent again as a kept connection had been closed." },
		{ COUNT_WAITS, "start_waits", "counter", "_total", "Requests that waited for an instance to start." },
		{ COUNT_H2, "http2", "counter", "_total", "Connections that spoke HTTP/2." },
		{ COUNT_H2_RESETS, "http2_resets", "counter", "_total", "HTTP/2 requests given up before their answer was complete." },
		{ COUNT_H2_FLOODS, "http2_floods", "counter", "_total", "HTTP/2 connections ended as they sent too much of no use." },
		{ COUNT_TUNNELS, "tunnels", "counter", "_total", "Upgraded and TCP connections." },
		{ COUNT_PAUSES, "accept_pauses", "counter", "_total", "Times that connections had to wait to be accepted." },
		{ COUNT_REFUSED, "clients_refused", "counter", "_total", "Connections closed as their client had enough." },
		{ COUNT_BUFFERS, "buffer_bytes", "gauge", "", "Bytes held for clients and instances." },
		{ COUNT_BAD_PROXIES, "proxy_protocol_failures", "counter", "_total", "Connections refused for want of a PROXY header." },
	};
	const struct router *r = arg;

	for (size_t i = 0; i < fl_nitems(rows); i++) {
		fl_buf_addf(b, "# TYPE flynn_router_%s %s\n# HELP flynn_router_%s %s\n", rows[i].name, rows[i].type,
		    rows[i].name, rows[i].help);
		fl_buf_addf(b, "flynn_router_%s%s %llu\n", rows[i].name, rows[i].suffix,
		    (unsigned long long)router_counter(r, rows[i].counter));
	}
	fl_buf_addstr(b, "# TYPE flynn_router_answers counter\n# HELP flynn_router_answers Answers by class of status.\n");
	for (unsigned i = 0; i < 5; i++)
		fl_buf_addf(b, "flynn_router_answers_total{class=\"%uxx\"} %llu\n", i + 1,
		    (unsigned long long)router_counter(r, COUNT_ANSWERS + i));
	fl_buf_addf(b, "# TYPE flynn_router_waiting gauge\n# HELP flynn_router_waiting Requests that wait for an instance to start now.\n"
		       "flynn_router_waiting %u\n", atomic_load(&r->plane.n_waiting));
	fl_buf_addf(b, "# TYPE flynn_router_routes gauge\n# HELP flynn_router_routes Routes known.\nflynn_router_routes %zu\n",
	    sync_count(r->sync));
	write_access_log(b, r);
	write_acme(b, r);
	if ((r->plane.seen & SEEN_TALLY) != 0)
		route_metrics_write(b, r->sync);
}

static size_t
thread_count(const struct router_config *cfg)
{
	cpu_set_t cpus;
	int n = cfg->n_threads;

	if (n <= 0)
		n = sched_getaffinity(0, sizeof(cpus), &cpus) == 0 ? CPU_COUNT(&cpus) : 1;
	return n < MAX_THREADS ? (size_t)n : MAX_THREADS;
}

/* As many descriptors as the machine lets us have: each connection needs one or two. */
static void
raise_limits(size_t n_threads)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	/* An arena a thread, so that none waits for another; big blocks come back to it, not to the kernel. */
	mallopt(M_ARENA_MAX, (int)n_threads + 1);
	mallopt(M_MMAP_THRESHOLD, 256 << 10);
	/* And no system call each time that TLS has had a buffer at a heap's end: worker_trim_later() gives back. */
	mallopt(M_TOP_PAD, 256 << 10);
	mallopt(M_TRIM_THRESHOLD, 1 << 20);
}

static void
on_change(void *arg)
{
	struct router *r = arg;

	doors_changed(r->doors);
	router_api_changed(r->api);
	acme_changed(r->acme);
}

/* What is noted of each exchange. */
static int
start_seeing(struct router *r, struct fl_err *err)
{
	struct plane *plane = &r->plane;
	const struct access_log_mode *log = &r->cfg->access_log_mode;
	size_t n = (size_t)r->cfg->n_requests;

	if (strcmp(r->cfg->route_metrics, "on") == 0)
		plane->seen |= SEEN_TALLY;
	if (log->is_on && n < ACCESS_LOG_RECORDS * r->n_workers)
		n = ACCESS_LOG_RECORDS * r->n_workers;
	if (n > 0) {
		plane->seen |= SEEN_JOURNAL;
		plane->journal = journal_new(r->n_workers, n);
	}
	if (!log->is_on)
		return 0;
	r->access_log = access_log_new(plane->journal, log, r->cfg->access_log_to, err);
	return r->access_log != NULL ? 0 : -1;
}

static size_t
buffer_bytes(const struct router_config *cfg)
{
	long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
	size_t bytes = pages > 0 && size > 0 ? (size_t)pages / BUFFER_SHARE * (size_t)size : 0;

	if (cfg->buffer_mib > 0)
		return (size_t)cfg->buffer_mib << 20;
	return bytes > BUFFER_MIN ? bytes : BUFFER_MIN;
}

static struct admission *
start_admission(const struct router_config *cfg)
{
	struct rlimit limit = { 0 };
	size_t max = (size_t)cfg->max_connections, can;

	getrlimit(RLIMIT_NOFILE, &limit);
	can = admission_default_max(limit.rlim_cur);
	if (max > can)
		fl_log_warn("-max-connections is more than there are descriptors for", fl_int("max", max), fl_int("enough_for", can));
	return admission_new(max > 0 ? max : can, (unsigned)cfg->max_connections_per_client);
}

static int
start_acme(struct router *r, struct fl_err *err)
{
	const struct router_config *cfg = r->cfg;
	const struct acme_config acme = {
		.base = r->base,
		.plane = &r->plane,
		.directory = cfg->acme_directory,
		.email = cfg->acme_email,
		.ca_file = cfg->acme_ca,
		.eab_kid = cfg->acme_eab_kid,
		.eab_key = cfg->acme_eab_key,
		.challenge = acme_challenge_of(cfg->acme_challenge),
		.retry_s = cfg->acme_retry_s,
	};

	r->acme = acme_new(&acme, err);
	return r->acme != NULL ? 0 : -1;
}

static int
start_plane(struct router *r, struct fl_err *err)
{
	struct plane *plane = &r->plane;

	plane->workers = r->workers;
	plane->n_workers = r->n_workers;
	plane->reclaim = reclaim_new(r->base, r->n_workers);
	plane->congestion = congestion_for_instances();
	plane->start_timeout_ms = r->cfg->start_timeout_s * 1000;
	sticky_derive_key(plane->sticky_key, r->cfg->key);
	plane->https_port = listener_port(r->cfg->https_addr);
	plane->head_timeout_ms = r->cfg->head_timeout_s * 1000;
	plane->answer_timeout_ms = r->cfg->answer_timeout_s * 1000;
	plane->idle_timeout_ms = r->cfg->idle_timeout_s * 1000;
	plane->body_timeout_ms = r->cfg->body_timeout_s * 1000;
	plane->send_timeout_ms = r->cfg->send_timeout_s * 1000;
	plane->min_rate = r->cfg->min_rate;
	plane->buffer_bytes = buffer_bytes(r->cfg);
	plane->admission = start_admission(r->cfg);
	plane->trusted = r->cfg->trusted;
	plane->is_proxied = r->cfg->is_proxied;
	atomic_init(&plane->table, table_new(0, 0));
	if (start_seeing(r, err) == -1)
		return -1;
	r->tickets = tickets_new(r->base, plane, r->cfg->ticket_rotation_s);
	if ((plane->tls = tls_ctx_new(plane, r->cfg->ticket_rotation_s, err)) == NULL ||
	    (r->cfg->default_cert != NULL && (plane->default_cert = tls_cert_default(r->cfg->default_cert, err)) == NULL))
		return -1;
	if (r->cfg->acme_directory != NULL && start_acme(r, err) == -1)
		return -1;
	if ((plane->drained_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) == -1)
		return fl_err_sys(err, "make an eventfd");
	for (size_t i = 0; i < r->n_workers; i++)
		if ((r->workers[i] = worker_new(plane, i, err)) == NULL || worker_start(r->workers[i], err) == -1)
			return -1;
	return 0;
}

static void
start_sync(struct router *r)
{
	const struct router_config *cfg = r->cfg;
	struct sync_config sync = {
		.base = r->base,
		.plane = &r->plane,
		.workers = r->workers,
		.n_workers = r->n_workers,
		.tcp_ip = cfg->tcp_ip,
		.listening = doors_listening(r->doors),
		.inherited = doors_inherited(r->doors),
		.on_change = on_change,
		.arg = r,
	};

	r->etcd = sync.etcd = fl_etcd_new(r->base, cfg->etcd_urls, cfg->key);
	r->discoverd = sync.discoverd = fl_discoverd_new(r->base, cfg->discoverd_addr, cfg->key);
	fl_discoverd_share(r->discoverd);
	r->sync = sync_new(&sync);
	tickets_share(r->tickets, r->etcd);
	if (r->acme != NULL)
		acme_start(r->acme, r->etcd, r->sync);
}

static int
start_api(struct router *r, struct fl_err *err)
{
	char *addr = *r->cfg->api_addr != '\0' ? fl_xstrdup(r->cfg->api_addr) : fl_xasprintf(":%d", r->cfg->port);

	r->own_ports[0] = listener_port(r->cfg->http_addr);
	r->own_ports[1] = listener_port(r->cfg->https_addr);
	r->own_ports[2] = listener_port(addr);
	r->requests = requests_new(r);
	r->http = fl_http_new(r->base, r->cfg->key);
	fl_http_set_metrics(r->http, write_metrics);
	r->api = router_api_new(r, addr, err);
	free(addr);
	return r->api != NULL ? 0 : -1;
}

struct router *
router_new(struct event_base *base, const struct router_config *cfg, struct fl_err *err)
{
	struct router *r = fl_xcalloc(1, sizeof(*r));

	r->base = base;
	r->cfg = cfg;
	r->n_workers = thread_count(cfg);
	r->workers = fl_xcalloc(r->n_workers, sizeof(struct worker *));
	r->plane.drained_fd = -1;
	raise_limits(r->n_workers);
	if (start_plane(r, err) == -1 || start_api(r, err) == -1 || (r->doors = doors_new(r, err)) == NULL)
		goto fail;
	start_sync(r);
	doors_begin(r->doors);
	return r;
fail:
	router_free(r);
	return NULL;
}

void
router_stop(void *router)
{
	struct router *r = router;

	doors_stop(r->doors);
}

void
router_free(struct router *r)
{
	if (r == NULL)
		return;
	for (size_t i = 0; i < r->n_workers; i++)
		worker_stop(r->workers[i]);
	for (size_t i = 0; i < r->n_workers; i++)
		worker_free(r->workers[i]);
	doors_free(r->doors);
	free(r->workers);
	acme_free(r->acme);
	sync_free(r->sync);
	tickets_free(r->tickets);
	fl_etcd_free(r->etcd);
	router_api_free(r->api);
	requests_free(r->requests);
	fl_http_free(r->http);
	fl_discoverd_free(r->discoverd);
	table_free((void *)atomic_load(&r->plane.table));
	reclaim_free(r->plane.reclaim);
	access_log_free(r->access_log);
	journal_free(r->plane.journal);
	admission_free(r->plane.admission);
	SSL_CTX_free(r->plane.tls);
	SSL_CTX_free(r->plane.challenge_tls);
	tls_cert_free(r->plane.default_cert);
	if (r->plane.drained_fd != -1)
		close(r->plane.drained_fd);
	free(r);
}
