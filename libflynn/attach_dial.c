/*
 * attach_dial - connect to one address of a URL after another, and begin TLS.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libflynn/attach_internal.h"
#include "libflynn/attr.h"
#include "libflynn/err.h"
#include "libflynn/tls_pin.h"
#include "libflynn/url.h"
#include "libflynn/xmalloc.h"

struct attach_dial {
	struct event_base *base;
	struct fl_url url;
	char *pin;
	struct fl_attach_target target;
	struct addrinfo *found, *at; /* at: the address being tried */
	int fd;
	struct event *ready;
	struct fl_err err; /* of the last try */
	attach_dial_cb cb;
	void *arg;
};

void
attach_dial_free(struct attach_dial *d)
{
	if (d == NULL)
		return;
	if (d->ready != NULL)
		event_free(d->ready);
	if (d->fd != -1)
		close(d->fd);
	if (d->found != NULL)
		freeaddrinfo(d->found);
	fl_url_release(&d->url);
	free(d->target.authority);
	free(d->pin);
	free(d);
}

static bool
is_ip(const char *host)
{
	struct in6_addr addr;

	return inet_pton(AF_INET, host, &addr) == 1 || inet_pton(AF_INET6, host, &addr) == 1;
}

/* A connection with certificates checked by the pin, or by name and the system's authorities. */
static SSL *
tls_new(const struct attach_dial *d, struct fl_err *err)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl = NULL;

	if (ctx == NULL)
		goto out;
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
	if (d->pin != NULL) {
		fl_tls_pin_set(ctx, d->pin);
	} else {
		SSL_CTX_set_default_verify_paths(ctx);
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	}
	ssl = SSL_new(ctx);
	if (ssl == NULL)
		goto out;
	if (d->pin == NULL)
		SSL_set1_host(ssl, d->url.host);
	if (!is_ip(d->url.host)) /* RFC 6066, 3: never an address */
		SSL_set_tlsext_host_name(ssl, d->url.host);
out:
	SSL_CTX_free(ctx); /* ssl has a reference */
	if (ssl == NULL)
		fl_err_set(err, FL_ERR_SYSTEM, "make a TLS connection: %s", ERR_reason_error_string(ERR_get_error()));
	return ssl;
}

static struct bufferevent *
wrap(struct attach_dial *d, struct fl_err *err)
{
	struct bufferevent *bev;
	SSL *ssl;

	if (strcmp(d->url.scheme, "https") != 0) {
		bev = bufferevent_socket_new(d->base, d->fd, BEV_OPT_CLOSE_ON_FREE);
	} else {
		ssl = tls_new(d, err);
		if (ssl == NULL)
			return NULL;
		bev = bufferevent_openssl_socket_new(d->base, d->fd, ssl, BUFFEREVENT_SSL_CONNECTING, BEV_OPT_CLOSE_ON_FREE);
		if (bev == NULL)
			SSL_free(ssl);
		else
			bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
	}
	if (bev == NULL)
		fl_err_set(err, FL_ERR_SYSTEM, "make a connection");
	else
		d->fd = -1; /* bev's */
	return bev;
}

static void
finish(struct attach_dial *d)
{
	struct fl_err err = { 0 };
	struct bufferevent *bev;

	if (d->err.kind != FL_ERR_NONE) {
		fl_err_wrap(&d->err, "attach");
		d->cb(NULL, &d->target, &d->err, d->arg);
		return;
	}
	bev = wrap(d, &err);
	d->cb(bev, &d->target, bev == NULL ? &err : NULL, d->arg);
}

/* Begin to connect to the address at hand, or fail. Returns whether there is something to wait for. */
static bool
try_address(struct attach_dial *d)
{
	int on = 1;

	if (d->fd != -1)
		close(d->fd);
	d->fd = socket(d->at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (d->fd != -1) {
		setsockopt(d->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		setsockopt(d->fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
		if (connect(d->fd, d->at->ai_addr, d->at->ai_addrlen) == 0 || errno == EINPROGRESS)
			return true;
	}
	fl_err_set(&d->err, FL_ERR_UNAVAILABLE, "connect to %s: %s", d->target.authority, strerror(errno));
	return false;
}

static void on_ready(evutil_socket_t fd, short what, void *arg);

static void
try_on(struct attach_dial *d)
{
	for (; d->at != NULL; d->at = d->at->ai_next) {
		if (!try_address(d))
			continue;
		if (d->ready != NULL)
			event_free(d->ready);
		d->ready = event_new(d->base, d->fd, EV_WRITE, on_ready, d);
		event_add(d->ready, NULL);
		return;
	}
	finish(d);
}

static void
on_ready(evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct attach_dial *d = arg;
	int error = 0;
	socklen_t len = sizeof(error);

	if (d->at == NULL) { /* failed before anything could be tried */
		finish(d);
		return;
	}
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
	if (error == 0) {
		d->err = (struct fl_err){ 0 };
		finish(d);
		return;
	}
	fl_err_set(&d->err, FL_ERR_UNAVAILABLE, "connect to %s: %s", d->target.authority, strerror(error));
	d->at = d->at->ai_next;
	try_on(d);
}

static int
resolve(struct attach_dial *d, const char *url, struct fl_err *err)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	char port[16];
	int rc;

	if (fl_url_parse(url, &d->url, err) == -1)
		return -1;
	d->target.path = d->url.path;
	d->target.authority = fl_xasprintf(strchr(d->url.host, ':') != NULL ? "[%s]:%d" : "%s:%d", d->url.host, d->url.port);
	snprintf(port, sizeof(port), "%d", d->url.port);
	rc = getaddrinfo(d->url.host, port, &hints, &d->found);
	if (rc != 0)
		return fl_err_set(err, FL_ERR_UNAVAILABLE, "resolve %s: %s", d->url.host, gai_strerror(rc));
	d->at = d->found;
	return 0;
}

struct attach_dial *
attach_dial_start(struct event_base *base, const char *url, const char *pin, attach_dial_cb cb, void *arg)
{
	struct attach_dial *d = fl_xcalloc(1, sizeof(*d));

	*d = (struct attach_dial){ .base = base, .fd = -1, .pin = fl_xstrdup_null(pin), .cb = cb, .arg = arg };
	if (resolve(d, url, &d->err) == 0)
		for (; d->at != NULL && !try_address(d); d->at = d->at->ai_next)
			;
	if (d->at != NULL)
		d->ready = event_new(base, d->fd, EV_WRITE, on_ready, d);
	else
		d->ready = event_new(base, -1, 0, on_ready, d);
	event_add(d->ready, NULL);
	if (d->at == NULL)
		event_active(d->ready, EV_TIMEOUT, 1); /* the bad news comes from the loop too */
	return d;
}

int
attach_broken(struct bufferevent *bev, short what, struct fl_err *err)
{
	unsigned long tls = bufferevent_openssl_get_ssl(bev) != NULL ? bufferevent_get_openssl_error(bev) : 0;

	if (tls != 0 && ERR_GET_REASON(tls) == SSL_R_CERTIFICATE_VERIFY_FAILED)
		return fl_err_set(err, FL_ERR_DENIED, "attach: the server's certificate is not trusted");
	if (tls != 0)
		return fl_err_set(err, FL_ERR_UNAVAILABLE, "attach: TLS: %s", ERR_reason_error_string(tls));
	if ((what & BEV_EVENT_EOF) != 0)
		return fl_err_set(err, FL_ERR_UNAVAILABLE, "attach: the connection ended too early");
	return fl_err_set(err, FL_ERR_UNAVAILABLE, "attach: %s", evutil_socket_error_to_string(EVUTIL_SOCKET_ERROR()));
}
