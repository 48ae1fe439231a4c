/*
 * daemon - see daemon.h.
 */
#include "libflynn/daemon.h"

#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>
#include <event2/event.h>
#include <openssl/crypto.h>
#include <openssl/ssl.h>

#include "libflynn/attr.h"
#include "libflynn/log.h"
#include "libflynn/xmalloc.h"

static void *
realloc_or_abort(void *ptr, size_t size)
{
	return fl_xreallocarray(ptr, 1, size);
}

/* OpenSSL asks for nothing at times and then expects NULL. */
static void *
crypto_malloc(size_t size, FL_UNUSED const char *file, FL_UNUSED int line)
{
	return size > 0 ? fl_xmalloc(size) : NULL;
}

static void *
crypto_realloc(void *ptr, size_t size, FL_UNUSED const char *file, FL_UNUSED int line)
{
	if (size > 0)
		return fl_xreallocarray(ptr, 1, size);
	free(ptr);
	return NULL;
}

static void
crypto_free(void *ptr, FL_UNUSED const char *file, FL_UNUSED int line)
{
	free(ptr);
}

/* One thread needs one arena, and what a burst took goes back to the kernel soon. */
static void
keep_heap_small(void)
{
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_TRIM_THRESHOLD, 64 << 10);
	mallopt(M_MMAP_THRESHOLD, 64 << 10);
}

/*
 * OpenSSL is initialised first and without openssl.cnf: curl would read it, and we set
 * what we want of TLS ourselves.
 */
static void
init_libraries(void)
{
	event_set_mem_functions(fl_xmalloc, realloc_or_abort, free);
	CRYPTO_set_mem_functions(crypto_malloc, crypto_realloc, crypto_free);
	OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
	curl_global_init_mem(CURL_GLOBAL_DEFAULT, fl_xmalloc, free, realloc_or_abort, fl_xstrdup, fl_xcalloc);
}

struct event_base *
fl_daemon_init(const char *component)
{
	struct event_base *base = NULL;

	signal(SIGPIPE, SIG_IGN);
	keep_heap_small();
	fl_log_init(component);
	init_libraries();
	if ((base = event_base_new()) == NULL) {
		fl_log_error("no event loop: is epoll available?");
		exit(FL_EXIT_FAILED);
	}
	return base;
}

struct ending {
	struct event_base *base;
	struct event *deadline;
	int drain_s;
	void (*stop)(void *); /* NULL once called */
	void *arg;
};

static void
on_signal(evutil_socket_t sig, FL_UNUSED short what, void *arg)
{
	struct ending *e = arg;
	void (*stop)(void *) = e->stop;

	if (stop == NULL) {
		fl_log_warn("ending at once", fl_str("signal", strsignal((int)sig)));
		event_base_loopbreak(e->base);
		return;
	}
	fl_log_info("draining", fl_str("signal", strsignal((int)sig)), fl_int("limit_s", e->drain_s));
	e->stop = NULL;
	event_add(e->deadline, &(struct timeval){ .tv_sec = e->drain_s });
	stop(e->arg);
}

static void
on_deadline(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct ending *e = arg;

	fl_log_warn("not drained in time", fl_int("limit_s", e->drain_s));
	event_base_loopbreak(e->base);
}

void
fl_daemon_run(struct event_base *base, int drain_s, void (*stop)(void *), void *arg)
{
	struct ending e = { .base = base, .drain_s = drain_s, .stop = stop, .arg = arg };
	struct event *signals[] = {
		evsignal_new(base, SIGTERM, on_signal, &e),
		evsignal_new(base, SIGINT, on_signal, &e),
	};

	e.deadline = evtimer_new(base, on_deadline, &e);
	for (size_t i = 0; i < fl_nitems(signals); i++)
		event_add(signals[i], NULL);
	event_base_dispatch(base);
	for (size_t i = 0; i < fl_nitems(signals); i++)
		event_free(signals[i]);
	event_free(e.deadline);
	fl_log_info("ended");
}

void
fl_daemon_free(struct event_base *base)
{
	if (base != NULL)
		event_base_free(base);
	libevent_global_shutdown();
	curl_global_cleanup();
}
