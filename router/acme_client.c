#include "router/acme_client.h"

#include <event2/event.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/clock.h"
#include "libflynn/err.h"
#include "libflynn/http_client.h"
#include "libflynn/json.h"
#include "libflynn/list.h"
#include "libflynn/xmalloc.h"
#include "router/acme_decide.h"
#include "router/acme_jws.h"

/* What a server can make us keep: a chain of certificates is less. */
#define MAX_BODY ((size_t)128 << 10)
#define MAX_NONCE 512
#define TIMEOUT_MS 20000
/* How often one call gets another nonce, and another account. */
#define MAX_NONCES 3
#define MAX_ACCOUNTS 1

struct acme_call {
	TAILQ_ENTRY(acme_call) link;
	struct acme_client *client;
	char *url; /* NULL: newOrder */
	char *payload;
	acme_call_cb cb;
	void *arg;
	int n_nonces, n_accounts;
};

/* The request under way, for the first call. */
enum doing { DOING_NOTHING, DOING_DIRECTORY, DOING_NONCE, DOING_ACCOUNT, DOING_CALL };

struct acme_client {
	struct acme_client_config cfg;
	EVP_PKEY *key;
	struct fl_http_client *http;
	struct fl_http_call *under_way;
	enum doing doing;
	char *new_nonce, *new_account, *new_order; /* of the directory; NULL: not fetched */
	char *nonce;				   /* NULL: none */
	char *account;				   /* its URL, the "kid"; NULL: not known */
	TAILQ_HEAD(, acme_call) calls;
	struct event *next; /* the queue is looked at from the loop */
};

static void
look_soon(struct acme_client *c)
{
	event_active(c->next, EV_TIMEOUT, 0);
}

static void
call_free(struct acme_call *call)
{
	if (call == NULL)
		return;
	free(call->url);
	free(call->payload);
	free(call);
}

/* The first call has its answer. */
static void
finish(struct acme_client *c, const struct acme_reply *reply, const struct fl_err *err)
{
	struct acme_call *call = TAILQ_FIRST(&c->calls);

	TAILQ_REMOVE(&c->calls, call, link);
	look_soon(c);
	call->cb(reply, err, call->arg);
	call_free(call);
}

/* ---- answers --------------------------------------------------------------------------------- */

static void
take_nonce(struct acme_client *c, const struct fl_http_result *res)
{
	const char *nonce = fl_http_result_header(res, "Replay-Nonce");

	free(c->nonce);
	c->nonce = nonce != NULL && *nonce != '\0' && strlen(nonce) <= MAX_NONCE ? fl_xstrdup(nonce) : NULL;
}

/* Servers that are secure send nobody to others that are not. */
static int
take_url(const struct acme_client *c, const struct fl_json *v, const char *name, char **out, struct fl_err *err)
{
	const char *url = fl_json_text(v, name);
	bool is_https = strncmp(url, "https://", 8) == 0;

	if ((!is_https && (strncmp(c->cfg.directory, "https://", 8) == 0 || strncmp(url, "http://", 7) != 0)) ||
	    strlen(url) > ACME_MAX_URL)
		return fl_err_set(err, FL_ERR_INVALID, "%.200s is no ACME directory: it has no %s", c->cfg.directory, name);
	free(*out);
	*out = fl_xstrdup(url);
	return 0;
}

static int
take_directory(struct acme_client *c, const struct acme_reply *reply, struct fl_err *err)
{
	/* newOrder last: it says that all is there. */
	return take_url(c, reply->json, "newNonce", &c->new_nonce, err) == -1 ||
		take_url(c, reply->json, "newAccount", &c->new_account, err) == -1 ||
		take_url(c, reply->json, "newOrder", &c->new_order, err) == -1
	    ? -1
	    : 0;
}

static int
take_account(struct acme_client *c, const struct acme_reply *reply, struct fl_err *err)
{
	if (reply->location == NULL || strlen(reply->location) > ACME_MAX_URL)
		return fl_err_set(err, FL_ERR_INVALID, "the server's answer makes no sense: the account has no URL");
	c->account = fl_xstrdup(reply->location);
	return 0;
}

/* A problem that another request helps against. */
static bool
may_repeat(struct acme_client *c, const char *type)
{
	struct acme_call *call = TAILQ_FIRST(&c->calls);

	if (strcmp(type, "badNonce") == 0 && call->n_nonces < MAX_NONCES) {
		call->n_nonces++;
		return true;
	}
	if (strcmp(type, "accountDoesNotExist") == 0 && c->doing == DOING_CALL && call->n_accounts < MAX_ACCOUNTS) {
		call->n_accounts++; /* the server has lost it: make it anew */
		free(c->account);
		c->account = NULL;
		return true;
	}
	return false;
}

static const char *
what_was_asked(const struct acme_client *c)
{
	static const char *const texts[] = {
		[DOING_NOTHING] = "",
		[DOING_DIRECTORY] = "the ACME directory: ",
		[DOING_NONCE] = "an ACME nonce: ",
		[DOING_ACCOUNT] = "the ACME account: ",
		[DOING_CALL] = "",
	};

	return texts[c->doing];
}

/* A status that is not 2xx. True: it is tried again. */
static bool
refused(struct acme_client *c, const struct acme_reply *reply)
{
	struct fl_err err = { 0 };
	const char *type = "";
	char text[450];

	if (acme_problem(reply->json, &type, text, sizeof(text)))
		fl_err_set(&err, fl_err_of_status(reply->status), "%s%s", what_was_asked(c), text);
	else
		fl_err_set(&err, fl_err_of_status(reply->status), "%sthe ACME server answers with status %d", what_was_asked(c), reply->status);
	if (may_repeat(c, type))
		return true;
	finish(c, reply, &err);
	return false;
}

/* What a step of preparation, or the call itself, was answered with 2xx. */
static void
answered(struct acme_client *c, const struct acme_reply *reply)
{
	struct fl_err err = { 0 };
	int ret = 0;

	switch (c->doing) {
	case DOING_DIRECTORY:
		ret = take_directory(c, reply, &err);
		break;
	case DOING_NONCE:
		if (c->nonce == NULL)
			ret = fl_err_set(&err, FL_ERR_INVALID, "the ACME server gives no nonce");
		break;
	case DOING_ACCOUNT:
		ret = take_account(c, reply, &err);
		break;
	case DOING_CALL:
		finish(c, reply, NULL);
		return;
	case DOING_NOTHING:
		break;
	}
	if (ret == -1)
		finish(c, NULL, &err);
	else
		look_soon(c);
}

static void
on_answer(const struct fl_http_result *res, const struct fl_err *err, void *arg)
{
	struct acme_client *c = arg;
	struct acme_reply reply = { 0 };

	c->under_way = NULL;
	if (TAILQ_EMPTY(&c->calls)) {
		c->doing = DOING_NOTHING; /* the call was cancelled */
		return;
	}
	if (err != NULL) {
		struct fl_err why = *err;

		c->doing = DOING_NOTHING;
		fl_err_wrap(&why, "the ACME server does not answer");
		finish(c, NULL, &why);
		return;
	}
	take_nonce(c, res);
	reply.status = res->status;
	reply.location = fl_http_result_header(res, "Location");
	reply.location = reply.location != NULL ? fl_xstrdup(reply.location) : NULL; /* the next header takes its place */
	reply.retry_after_s = acme_retry_after(fl_http_result_header(res, "Retry-After"), fl_clock_wall_us() / 1000000);
	reply.body = res->body;
	reply.len = res->len;
	reply.json = fl_json_parse(res->body, res->len, NULL);
	if (res->status / 100 == 2)
		answered(c, &reply);
	else if (refused(c, &reply))
		look_soon(c);
	c->doing = DOING_NOTHING;
	fl_json_free((struct fl_json *)reply.json);
	free((char *)reply.location);
}

/* ---- requests -------------------------------------------------------------------------------- */

static void
send_request(struct acme_client *c, enum doing doing, const char *method, const char *url, const char *body)
{
	static const char *const headers[] = { "User-Agent: flynn-router/" FL_VERSION, "Accept-Language: en", NULL };
	struct fl_http_call_opts opts = {
		.method = method,
		.url = url,
		.headers = headers,
		.content_type = body != NULL ? "application/jose+json" : NULL,
		.body = body,
		.body_len = body != NULL ? strlen(body) : 0,
		.ca_file = c->cfg.ca_file,
		.timeout_ms = TIMEOUT_MS,
		.max_body = MAX_BODY,
	};

	c->doing = doing;
	c->under_way = fl_http_client_start(c->http, &opts, on_answer, c);
}

static void
post(struct acme_client *c, enum doing doing, const char *url, const char *payload)
{
	struct fl_buf b = { 0 };
	struct fl_jsonw w = fl_jsonw(&b);
	char *jwk = NULL, *body;

	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_str(&w, "alg", "ES256");
	if (doing == DOING_ACCOUNT)
		fl_jsonw_raw(&w, "jwk", jwk = jws_jwk(c->key));
	else
		fl_jsonw_str(&w, "kid", c->account);
	fl_jsonw_str(&w, "nonce", c->nonce);
	fl_jsonw_str(&w, "url", url);
	fl_jsonw_close(&w, '}');
	body = jws_sign(c->key, fl_buf_cstr(&b), payload != NULL ? payload : "");
	free(c->nonce); /* once only */
	c->nonce = NULL;
	send_request(c, doing, "POST", url, body);
	free(body);
	free(jwk);
	fl_buf_release(&b);
}

/* RFC 8555 section 7.3.4; the key was looked at in acme_client_new(). */
static void
write_binding(const struct acme_client *c, struct fl_jsonw *w)
{
	struct fl_buf b = { 0 };
	struct fl_jsonw header = fl_jsonw(&b);
	size_t len = 0;
	unsigned char *secret = jws_base64url_decode(c->cfg.eab_key, &len, NULL);
	char *jwk = jws_jwk(c->key), *jws;

	fl_jsonw_open(&header, NULL, '{');
	fl_jsonw_str(&header, "alg", "HS256");
	fl_jsonw_str(&header, "kid", c->cfg.eab_kid);
	fl_jsonw_str(&header, "url", c->new_account);
	fl_jsonw_close(&header, '}');
	jws = jws_hmac(secret, len, fl_buf_cstr(&b), jwk);
	fl_jsonw_raw(w, "externalAccountBinding", jws);
	explicit_bzero(secret, len);
	free(secret);
	free(jws);
	free(jwk);
	fl_buf_release(&b);
}

/* That of the key if the server has one, else a new one, RFC 8555 section 7.3. */
static void
post_account(struct acme_client *c)
{
	struct fl_buf b = { 0 };
	struct fl_jsonw w = fl_jsonw(&b);
	char *contact = c->cfg.email != NULL ? fl_xasprintf("mailto:%s", c->cfg.email) : NULL;

	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_bool(&w, "termsOfServiceAgreed", true);
	if (contact != NULL) {
		fl_jsonw_open(&w, "contact", '[');
		fl_jsonw_str(&w, NULL, contact);
		fl_jsonw_close(&w, ']');
	}
	if (c->cfg.eab_kid != NULL)
		write_binding(c, &w);
	fl_jsonw_close(&w, '}');
	post(c, DOING_ACCOUNT, c->new_account, fl_buf_cstr(&b));
	free(contact);
	fl_buf_release(&b);
}

/* The next request that the first call needs. */
static void
on_next(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct acme_client *c = arg;
	const struct acme_call *call = TAILQ_FIRST(&c->calls);

	if (call == NULL || c->doing != DOING_NOTHING)
		return;
	if (c->new_order == NULL)
		send_request(c, DOING_DIRECTORY, "GET", c->cfg.directory, NULL);
	else if (c->nonce == NULL)
		send_request(c, DOING_NONCE, "HEAD", c->new_nonce, NULL);
	else if (c->account == NULL)
		post_account(c);
	else
		post(c, DOING_CALL, call->url != NULL ? call->url : c->new_order, call->payload);
}

struct acme_call *
acme_client_post(struct acme_client *c, const char *url, const char *payload, acme_call_cb cb, void *arg)
{
	struct acme_call *call = fl_xcalloc(1, sizeof(*call));

	*call = (struct acme_call){
		.client = c, .url = fl_xstrdup_null(url), .payload = fl_xstrdup_null(payload), .cb = cb, .arg = arg
	};
	TAILQ_INSERT_TAIL(&c->calls, call, link);
	look_soon(c);
	return call;
}

void
acme_call_cancel(struct acme_call *call)
{
	struct acme_client *c = call->client;

	if (call == TAILQ_FIRST(&c->calls) && c->under_way != NULL) {
		fl_http_call_cancel(c->under_way);
		c->under_way = NULL;
		c->doing = DOING_NOTHING;
	}
	TAILQ_REMOVE(&c->calls, call, link);
	call_free(call);
	look_soon(c);
}

/* ---- life ------------------------------------------------------------------------------------ */

int
acme_client_check(const struct acme_client_config *cfg, struct fl_err *err)
{
	unsigned char *secret;
	size_t len = 0;

	if (strncmp(cfg->directory, "https://", 8) != 0 && strncmp(cfg->directory, "http://", 7) != 0)
		return fl_err_set(err, FL_ERR_INVALID, "the ACME directory \"%s\" is no URL", cfg->directory);
	if ((cfg->eab_kid != NULL) != (cfg->eab_key != NULL))
		return fl_err_set(err, FL_ERR_INVALID, "ACME_EAB_KID and ACME_EAB_KEY are needed both, or neither");
	if (cfg->eab_key == NULL)
		return 0;
	if ((secret = jws_base64url_decode(cfg->eab_key, &len, NULL)) == NULL || len == 0) {
		free(secret);
		return fl_err_set(err, FL_ERR_INVALID, "ACME_EAB_KEY is no base64url text");
	}
	explicit_bzero(secret, len);
	free(secret);
	return 0;
}

struct acme_client *
acme_client_new(const struct acme_client_config *cfg, EVP_PKEY *key)
{
	struct acme_client *c = fl_xcalloc(1, sizeof(*c));

	c->cfg = *cfg;
	EVP_PKEY_up_ref(key);
	c->key = key;
	c->http = fl_http_client_new(cfg->base, NULL);
	c->next = event_new(cfg->base, -1, 0, on_next, c);
	TAILQ_INIT(&c->calls);
	return c;
}

void
acme_client_free(struct acme_client *c)
{
	struct acme_call *call;

	if (c == NULL)
		return;
	while ((call = TAILQ_FIRST(&c->calls)) != NULL) {
		TAILQ_REMOVE(&c->calls, call, link);
		call_free(call);
	}
	fl_http_client_free(c->http);
	event_free(c->next);
	EVP_PKEY_free(c->key);
	free(c->new_nonce);
	free(c->new_account);
	free(c->new_order);
	free(c->nonce);
	free(c->account);
	free(c);
}

EVP_PKEY *
acme_client_key(const struct acme_client *c)
{
	return c->key;
}

