#include "router/acme_order.h"

#include <event2/event.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/etcd.h"
#include "libflynn/json.h"
#include "libflynn/xmalloc.h"
#include "router/acme_client.h"
#include "router/acme_jws.h"
#include "router/tls_cert.h"

/* From etcd's having a challenge until every router's watch has surely told of it. */
#define SPREAD_MS 1000
/* etcd forgets the challenge of an order that nobody ends. */
#define CHALLENGE_TTL_S (2 * ACME_ORDER_S)

struct acme_order {
	struct acme_order_config cfg;
	char *domain;
	void (*cb)(struct acme_order *, const struct acme_outcome *, void *);
	void *arg;
	struct acme_progress progress;
	EVP_PKEY *key; /* of the certificate */
	struct acme_call *call;
	struct event *wait, *deadline;
	int64_t lease; /* of the challenge; 0: none */
	bool is_asking_etcd, is_freed;
};

static void take_step(struct acme_order *o);

static void
on_nothing(FL_UNUSED int64_t rev, FL_UNUSED const struct fl_err *err, FL_UNUSED void *arg)
{
}

/* No request, wait or challenge is left. */
static void
halt(struct acme_order *o)
{
	if (o->call != NULL)
		acme_call_cancel(o->call);
	o->call = NULL;
	evtimer_del(o->wait);
	evtimer_del(o->deadline);
	if (o->lease != 0)
		fl_etcd_lease_revoke(o->cfg.etcd, o->lease, on_nothing, NULL);
	o->lease = 0;
}

static void
fail(struct acme_order *o, const struct fl_err *err, int64_t retry_after_s)
{
	struct acme_outcome outcome = { .err = err, .retry_after_s = retry_after_s, .tried = o->progress.chosen };

	halt(o);
	o->cb(o, &outcome, o->arg);
}

/* ---- the end --------------------------------------------------------------------------------- */

static void
finish(struct acme_order *o, const struct acme_reply *reply)
{
	char *cert_pem = fl_xstrndup(reply->body, reply->len), *key_pem = jws_key_pem(o->key);
	struct acme_outcome outcome = { cert_pem, key_pem, NULL, -1, o->progress.chosen };
	struct fl_err err = { 0 };
	struct tls_cert *cert = tls_cert_parse(cert_pem, key_pem, &err);

	if (cert != NULL && tls_cert_is_for(cert, o->domain)) {
		halt(o);
		o->cb(o, &outcome, o->arg);
	} else {
		if (cert != NULL)
			fl_err_set(&err, FL_ERR_INVALID, "it is not one for %s", o->domain);
		fl_err_wrap(&err, "the certificate that the server gave cannot be used");
		fail(o, &err, -1);
	}
	tls_cert_free(cert);
	explicit_bzero(key_pem, strlen(key_pem));
	free(key_pem);
	free(cert_pem);
}

static void
on_deadline(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct acme_order *o = arg;
	struct fl_err err = { 0 };

	fl_err_set(&err, FL_ERR_TIMEOUT, "the order was not done within %d s", ACME_ORDER_S);
	fail(o, &err, -1);
}

/* ---- steps ----------------------------------------------------------------------------------- */

static void
wait_ms(struct acme_order *o, int ms)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	evtimer_add(o->wait, &tv);
}

static void
on_wait(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct acme_order *o = arg;
	struct fl_err err = { 0 };
	int ms = 0;

	/* What ends a step without a request is the wait for it. */
	if (o->progress.step == ACME_PUBLISH && acme_decide(&o->progress, NULL, &ms, &err) == -1)
		fail(o, &err, -1);
	else
		take_step(o);
}

static void
on_reply(const struct acme_reply *reply, const struct fl_err *err, void *arg)
{
	struct acme_order *o = arg;
	struct fl_err why = { 0 };
	int ms = 0;

	o->call = NULL;
	if (err != NULL)
		fail(o, err, reply != NULL ? reply->retry_after_s : -1);
	else if (acme_decide(&o->progress, reply, &ms, &why) == -1)
		fail(o, &why, reply->retry_after_s);
	else if (o->progress.step == ACME_STEP_DONE)
		finish(o, reply);
	else if (ms > 0)
		wait_ms(o, ms);
	else
		take_step(o);
}

static void
ask(struct acme_order *o, const char *url, const char *payload)
{
	o->call = acme_client_post(o->cfg.client, url, payload, on_reply, o);
}

static void
ask_order(struct acme_order *o)
{
	struct fl_buf b = { 0 };
	struct fl_jsonw w = fl_jsonw(&b);

	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_open(&w, "identifiers", '[');
	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_str(&w, "type", "dns");
	fl_jsonw_str(&w, "value", o->domain);
	fl_jsonw_close(&w, '}');
	fl_jsonw_close(&w, ']');
	fl_jsonw_close(&w, '}');
	ask(o, ACME_NEW_ORDER, fl_buf_cstr(&b));
	fl_buf_release(&b);
}

static void
ask_finalize(struct acme_order *o)
{
	char *csr, *payload;

	o->key = jws_key_new();
	csr = jws_csr(o->key, o->domain);
	payload = fl_xasprintf("{\"csr\":\"%s\"}", csr);
	ask(o, o->progress.finalize_url, payload);
	free(payload);
	free(csr);
}

/* etcd has answered: true when the order is still to go on. */
static bool
etcd_answered(struct acme_order *o, const struct fl_err *err)
{
	struct fl_err why = { 0 };

	o->is_asking_etcd = false;
	if (o->is_freed) {
		halt(o);
		acme_order_drop(o);
		return false;
	}
	if (err == NULL)
		return true;
	why = *err;
	fl_err_wrap(&why, "cannot tell the other routers of the challenge");
	fail(o, &why, -1);
	return false;
}

static void
on_published(FL_UNUSED int64_t rev, const struct fl_err *err, void *arg)
{
	struct acme_order *o = arg;

	if (etcd_answered(o, err))
		wait_ms(o, SPREAD_MS);
}

static void
on_lease(int64_t lease, const struct fl_err *err, void *arg)
{
	struct acme_order *o = arg;
	char *key, *key_auth;
	struct fl_buf b = { 0 };
	struct fl_jsonw w = fl_jsonw(&b);

	if (err == NULL)
		o->lease = lease;
	if (!etcd_answered(o, err))
		return;
	key = fl_xasprintf("%s%s", ACME_CHALLENGE_PREFIX, o->domain);
	key_auth = jws_key_authorisation(acme_client_key(o->cfg.client), o->progress.token);
	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_str(&w, "token", o->progress.token);
	fl_jsonw_str(&w, "key_auth", key_auth);
	fl_jsonw_close(&w, '}');
	o->is_asking_etcd = true;
	fl_etcd_put(o->cfg.etcd, key, fl_buf_cstr(&b), lease, FL_ETCD_ANY, on_published, o);
	fl_buf_release(&b);
	free(key_auth);
	free(key);
}

static void
publish(struct acme_order *o)
{
	o->is_asking_etcd = true;
	fl_etcd_lease_grant(o->cfg.etcd, CHALLENGE_TTL_S, on_lease, o);
}

static void
take_step(struct acme_order *o)
{
	const struct acme_progress *p = &o->progress;

	switch (p->step) {
	case ACME_ORDER:
		ask_order(o);
		break;
	case ACME_AUTHZ:
	case ACME_POLL_AUTHZ:
		ask(o, p->authz_url, NULL);
		break;
	case ACME_PUBLISH:
		publish(o);
		break;
	case ACME_RESPOND:
		ask(o, p->challenge_url, "{}");
		break;
	case ACME_POLL_ORDER:
		ask(o, p->order_url, NULL);
		break;
	case ACME_FINALIZE:
		ask_finalize(o);
		break;
	case ACME_FETCH:
		ask(o, p->cert_url, NULL);
		break;
	case ACME_STEP_DONE:
		break;
	}
}

/* ---- life ------------------------------------------------------------------------------------ */

struct acme_order *
acme_order_start(const struct acme_order_config *cfg, void (*cb)(struct acme_order *, const struct acme_outcome *, void *),
    void *arg)
{
	struct acme_order *o = fl_xcalloc(1, sizeof(*o));
	struct timeval limit = { .tv_sec = ACME_ORDER_S };

	o->cfg = *cfg;
	o->domain = fl_xstrdup(cfg->domain);
	o->cfg.domain = o->domain;
	o->progress.wants = o->progress.chosen = cfg->wants;
	o->cb = cb;
	o->arg = arg;
	o->wait = evtimer_new(cfg->base, on_wait, o);
	o->deadline = evtimer_new(cfg->base, on_deadline, o);
	evtimer_add(o->deadline, &limit);
	take_step(o);
	return o;
}

void
acme_order_drop(struct acme_order *o)
{
	if (o == NULL)
		return;
	event_free(o->wait);
	event_free(o->deadline);
	acme_progress_release(&o->progress);
	EVP_PKEY_free(o->key);
	free(o->domain);
	free(o);
}

void
acme_order_free(struct acme_order *o)
{
	halt(o);
	o->is_freed = true;
	if (!o->is_asking_etcd)
		acme_order_drop(o);
}
