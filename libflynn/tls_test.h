/*
 * tls_test - a TLS server with a certificate made on the spot, for tests of clients that pin it.
 */
#ifndef FL_TLS_TEST_H
#define FL_TLS_TEST_H

#include <event2/bufferevent_ssl.h>
#include <event2/listener.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "libflynn/cert.h"
#include "libflynn/loop_test.h"

/* Answers with the same bytes to whatever it hears, from whoever shakes hands. */
struct tls {
	SSL_CTX *ctx;
	struct evconnlistener *listener;
	char *cert, *key, *pin;
	const char *answer;
	size_t answer_len;
	int connections;
	struct bufferevent *open[16];
};

FL_UNUSED static void
tls_on_read(struct bufferevent *bev, void *arg)
{
	const struct tls *t = arg;

	evbuffer_drain(bufferevent_get_input(bev), evbuffer_get_length(bufferevent_get_input(bev)));
	bufferevent_write(bev, t->answer, t->answer_len);
}

FL_UNUSED static void
tls_on_accept(struct evconnlistener *l, evutil_socket_t fd, FL_UNUSED struct sockaddr *sa, FL_UNUSED int len, void *arg)
{
	struct tls *t = arg;
	struct bufferevent *bev = bufferevent_openssl_socket_new(evconnlistener_get_base(l), fd, SSL_new(t->ctx),
	    BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);

	assert_true(t->connections < (int)fl_nitems(t->open));
	t->open[t->connections++] = bev;
	bufferevent_setcb(bev, tls_on_read, NULL, NULL, t);
	bufferevent_enable(bev, EV_READ | EV_WRITE);
}

/* Returns its port of the loopback. */
FL_UNUSED static int
tls_open(struct tls *t, struct event_base *base, const char *answer, size_t answer_len)
{
	static const char *const hosts[] = { "localhost" };
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t len = sizeof(at);
	BIO *bio;
	X509 *cert;
	EVP_PKEY *key;

	*t = (struct tls){ .ctx = SSL_CTX_new(TLS_server_method()), .answer = answer, .answer_len = answer_len };
	assert_int_equal(fl_cert_make(hosts, 1, &t->cert, &t->key, &t->pin, NULL), 0);
	bio = BIO_new_mem_buf(t->cert, -1);
	cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	BIO_free(bio);
	bio = BIO_new_mem_buf(t->key, -1);
	key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
	BIO_free(bio);
	SSL_CTX_use_certificate(t->ctx, cert);
	SSL_CTX_use_PrivateKey(t->ctx, key);
	X509_free(cert);
	EVP_PKEY_free(key);
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	t->listener = evconnlistener_new_bind(base, tls_on_accept, t, LEV_OPT_CLOSE_ON_FREE, 8, (struct sockaddr *)&at, sizeof(at));
	getsockname(evconnlistener_get_fd(t->listener), (struct sockaddr *)&at, &len);
	return ntohs(at.sin_port);
}

FL_UNUSED static void
tls_close(struct tls *t)
{
	for (int i = 0; i < t->connections; i++)
		bufferevent_free(t->open[i]);
	evconnlistener_free(t->listener);
	SSL_CTX_free(t->ctx);
	free(t->cert);
	free(t->key);
	free(t->pin);
}

#endif
