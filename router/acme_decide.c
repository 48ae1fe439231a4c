#include "router/acme_decide.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "libflynn/attr.h"
#include "libflynn/err.h"
#include "libflynn/json.h"
#include "libflynn/xmalloc.h"

#define ERROR_PREFIX "urn:ietf:params:acme:error:"
#define DAY_S 86400
#define HOUR_S 3600
#define RETRY_AFTER_MAX_S (7 * DAY_S)
/* The first waits between polls; Retry-After beats them. */
static const int poll_waits_ms[] = { 300, 700, 1000, 2000, 3000, 5000 };

static const char *const challenge_names[] = { [ACME_HTTP_01] = "http-01", [ACME_TLS_ALPN_01] = "tls-alpn-01" };

const char *
acme_challenge_name(enum acme_challenge c)
{
	return challenge_names[c];
}

enum acme_challenge
acme_challenge_of(const char *name)
{
	size_t i = 0;

	while (i < ACME_CHALLENGES && strcmp(name, challenge_names[i]) != 0)
		i++;
	return (enum acme_challenge)i;
}

bool
acme_problem(const struct fl_json *v, const char **type, char *text, size_t size)
{
	const char *urn = fl_json_text(v, "type"), *detail = fl_json_text(v, "detail");
	const struct fl_json *sub = fl_json_at(fl_json_get(v, "subproblems"), 0);
	const char *more = fl_json_text(sub, "detail");
	size_t prefix = sizeof(ERROR_PREFIX) - 1;

	*type = strncmp(urn, ERROR_PREFIX, prefix) == 0 ? urn + prefix : "";
	if (fl_json_type(v) != FL_JSON_OBJECT || (*urn == '\0' && *detail == '\0'))
		return false;
	snprintf(text, size, "%.300s%s%.100s (%.60s)", *detail != '\0' ? detail : "no detail", *more != '\0' ? ": " : "",
	    more, **type != '\0' ? *type : *urn != '\0' ? urn : "no type");
	return true;
}

/* ---- steps ----------------------------------------------------------------------------------- */

static int
bad(struct fl_err *err, const char *what)
{
	return fl_err_set(err, FL_ERR_INVALID, "the server's answer makes no sense: %s", what);
}

static int
set_url(char **out, const char *url, const char *what, struct fl_err *err)
{
	if (url == NULL || strncmp(url, "http", 4) != 0 || strlen(url) > ACME_MAX_URL)
		return fl_err_set(err, FL_ERR_INVALID, "the server's answer makes no sense: it has no URL of the %s", what);
	free(*out);
	*out = fl_xstrdup(url);
	return 0;
}

/* Why an order or an authorisation is invalid. */
static int
invalid(const struct fl_json *problem, const char *what, const char *status, struct fl_err *err)
{
	const char *type = "";
	char text[500];

	if (acme_problem(problem, &type, text, sizeof(text)))
		return fl_err_set(err, FL_ERR_DENIED, "%s: %s", what, text);
	return fl_err_set(err, FL_ERR_DENIED, "%s: the server calls it \"%.40s\" and does not say why", what, status);
}

static int
poll_again(struct acme_progress *p, enum acme_step step, const struct acme_reply *reply, int *wait_ms, struct fl_err *err)
{
	size_t i = (size_t)p->n_polls;

	if (p->n_polls++ >= ACME_MAX_POLLS)
		return fl_err_set(err, FL_ERR_TIMEOUT, "the server does not come to an end: %s asked %d times",
		    step == ACME_POLL_AUTHZ ? "the authorisation was" : "the order was", ACME_MAX_POLLS);
	p->step = step;
	*wait_ms = poll_waits_ms[i < fl_nitems(poll_waits_ms) ? i : fl_nitems(poll_waits_ms) - 1];
	if (reply->retry_after_s > 0)
		*wait_ms = (int)(reply->retry_after_s < ACME_MAX_POLL_S ? reply->retry_after_s : ACME_MAX_POLL_S) * 1000;
	return 0;
}

static int
go(struct acme_progress *p, enum acme_step step)
{
	p->step = step;
	p->n_polls = 0;
	return 0;
}

static bool
is(const char *status, const char *what)
{
	return strcmp(status, what) == 0;
}

/* Where an order goes on by its status, RFC 8555 section 7.1.6. */
static int
follow_order(struct acme_progress *p, const struct acme_reply *reply, int *wait_ms, struct fl_err *err)
{
	const char *status = fl_json_text(reply->json, "status");

	if (is(status, "ready") && !p->is_finalized)
		return go(p, ACME_FINALIZE);
	if (is(status, "valid")) {
		if (!p->is_finalized)
			return bad(err, "the order was valid before it had a signing request");
		if (set_url(&p->cert_url, fl_json_str(fl_json_get(reply->json, "certificate"), NULL), "certificate", err) == -1)
			return -1;
		return go(p, ACME_FETCH);
	}
	if (is(status, "processing") || is(status, "pending") || is(status, "ready"))
		return poll_again(p, ACME_POLL_ORDER, reply, wait_ms, err);
	if (is(status, "invalid"))
		return invalid(fl_json_get(reply->json, "error"), "the order failed", status, err);
	return bad(err, "the order has no status");
}

static int
ordered(struct acme_progress *p, const struct acme_reply *reply, int *wait_ms, struct fl_err *err)
{
	const struct fl_json *authzs = fl_json_get(reply->json, "authorizations");

	if (set_url(&p->order_url, reply->location, "order", err) == -1 ||
	    set_url(&p->finalize_url, fl_json_str(fl_json_get(reply->json, "finalize"), NULL), "order's end", err) == -1)
		return -1;
	if (!is(fl_json_text(reply->json, "status"), "pending"))
		return follow_order(p, reply, wait_ms, err);
	if (fl_json_len(authzs) != 1)
		return bad(err, "an order for one name has not one authorisation");
	if (set_url(&p->authz_url, fl_json_str(fl_json_at(authzs, 0), NULL), "authorisation", err) == -1)
		return -1;
	return go(p, ACME_AUTHZ);
}

/* A token goes into a path and a file of ours: base64url only, RFC 8555 section 8.3. */
static bool
is_token(const char *token)
{
	size_t len = strlen(token);

	return len > 0 && len <= ACME_MAX_TOKEN &&
	    strspn(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") == len;
}

static const struct fl_json *
find_challenge(const struct fl_json *list, enum acme_challenge c)
{
	for (size_t i = 0; i < fl_json_len(list); i++) {
		const struct fl_json *v = fl_json_at(list, i);

		if (is(fl_json_text(v, "type"), challenge_names[c]))
			return v;
	}
	return NULL;
}

static int
choose(struct acme_progress *p, const struct fl_json *list, struct fl_err *err)
{
	const struct fl_json *found = NULL;
	const char *token;

	/* The one that is wanted, else any other. */
	for (int i = 0; i < ACME_CHALLENGES && found == NULL; i++) {
		p->chosen = (enum acme_challenge)((p->wants + i) % ACME_CHALLENGES);
		found = find_challenge(list, p->chosen);
	}
	if (found == NULL)
		return fl_err_set(err, FL_ERR_INVALID, "the server offers neither http-01 nor tls-alpn-01");
	token = fl_json_text(found, "token");
	if (!is_token(token))
		return bad(err, "the challenge has no token");
	if (set_url(&p->challenge_url, fl_json_str(fl_json_get(found, "url"), NULL), "challenge", err) == -1)
		return -1;
	free(p->token);
	p->token = fl_xstrdup(token);
	return go(p, ACME_PUBLISH);
}

/* The problem of the challenge that failed. */
static const struct fl_json *
challenge_problem(const struct fl_json *authz)
{
	const struct fl_json *list = fl_json_get(authz, "challenges"), *error = NULL;

	for (size_t i = 0; i < fl_json_len(list) && error == NULL; i++)
		error = fl_json_get(fl_json_at(list, i), "error");
	return error;
}

static int
follow_authz(struct acme_progress *p, const struct acme_reply *reply, int *wait_ms, struct fl_err *err)
{
	const char *status = fl_json_text(reply->json, "status");
	char what[64];

	if (is(status, "valid"))
		return go(p, ACME_POLL_ORDER);
	if (is(status, "pending") && p->step == ACME_AUTHZ)
		return choose(p, fl_json_get(reply->json, "challenges"), err);
	if (is(status, "pending") || is(status, "processing"))
		return poll_again(p, ACME_POLL_AUTHZ, reply, wait_ms, err);
	if (*status == '\0')
		return bad(err, "the authorisation has no status");
	snprintf(what, sizeof(what), "the domain could not be validated by %s", challenge_names[p->chosen]);
	return invalid(challenge_problem(reply->json), what, status, err);
}

int
acme_decide(struct acme_progress *p, const struct acme_reply *reply, int *wait_ms, struct fl_err *err)
{
	*wait_ms = 0;
	if (p->step == ACME_PUBLISH)
		return go(p, ACME_RESPOND);
	if (p->step == ACME_FETCH)
		return go(p, ACME_STEP_DONE);
	if (p->step == ACME_RESPOND) { /* the authorisation tells what comes of it */
		go(p, ACME_POLL_AUTHZ);
		return poll_again(p, ACME_POLL_AUTHZ, reply, wait_ms, err);
	}
	if (fl_json_type(reply->json) != FL_JSON_OBJECT)
		return bad(err, "it is no JSON object");
	switch (p->step) {
	case ACME_ORDER:
		return ordered(p, reply, wait_ms, err);
	case ACME_AUTHZ:
	case ACME_POLL_AUTHZ:
		return follow_authz(p, reply, wait_ms, err);
	case ACME_FINALIZE:
		p->is_finalized = true;
		return follow_order(p, reply, wait_ms, err);
	case ACME_POLL_ORDER:
		return follow_order(p, reply, wait_ms, err);
	case ACME_PUBLISH:
	case ACME_RESPOND:
	case ACME_FETCH:
	case ACME_STEP_DONE:
		break;
	}
	return bad(err, "nothing was asked");
}

void
acme_progress_release(struct acme_progress *p)
{
	free(p->order_url);
	free(p->authz_url);
	free(p->challenge_url);
	free(p->finalize_url);
	free(p->cert_url);
	free(p->token);
	*p = (struct acme_progress){ 0 };
}

/* ---- times ----------------------------------------------------------------------------------- */

int64_t
acme_retry_after(const char *value, int64_t now_s)
{
	struct tm tm = { 0 };
	const char *end;
	int64_t s = 0;

	if (value == NULL)
		return -1;
	value += strspn(value, " \t");
	if (*value >= '0' && *value <= '9') {
		for (; *value >= '0' && *value <= '9' && s < RETRY_AFTER_MAX_S; value++)
			s = s * 10 + (*value - '0');
		value += strspn(value, "0123456789 \t");
		return *value != '\0' ? -1 : s < RETRY_AFTER_MAX_S ? s : RETRY_AFTER_MAX_S;
	}
	/* "Sun, 06 Nov 1994 08:49:37 GMT" */
	if ((end = strptime(value, "%a, %d %b %Y %H:%M:%S GMT", &tm)) == NULL || *end != '\0')
		return -1;
	s = timegm(&tm) - now_s;
	return s < 0 ? 0 : s < RETRY_AFTER_MAX_S ? s : RETRY_AFTER_MAX_S;
}

int64_t
acme_backoff_s(int failures, int base_s, int64_t retry_after_s, uint32_t random)
{
	int64_t s = base_s;

	for (int i = 1; i < failures && s < DAY_S; i++)
		s *= 2;
	if (s > DAY_S)
		s = DAY_S;
	if (s < retry_after_s)
		s = retry_after_s < RETRY_AFTER_MAX_S ? retry_after_s : RETRY_AFTER_MAX_S;
	return s + random % (s / 4 + 1);
}

int64_t
acme_renew_at(int64_t not_before, int64_t not_after, int64_t now_s, uint32_t random)
{
	int64_t life = not_after - not_before, at = not_before + life / 3 * 2, left = not_after - now_s;

	if (life > 20)
		at += random % (life / 20);
	if (left > 0 && at < now_s + left / 3)
		at = now_s + left / 3;
	return at;
}

int64_t
acme_due(const struct acme_facts *f)
{
	int64_t renew_at;

	if (f->is_own)
		return INT64_MAX;
	if (!f->has_cert) /* also when it was taken away */
		return f->state == ACME_VALID || f->state == ACME_WAITING ? 0 : f->next_s;
	renew_at = acme_renew_at(f->not_before, f->not_after, f->not_before, f->random);
	return f->state != ACME_WAITING && f->next_s > renew_at ? f->next_s : renew_at;
}

bool
acme_window_take(int64_t *times, size_t n, int64_t now_s)
{
	size_t oldest = 0;

	for (size_t i = 1; i < n; i++)
		if (times[i] < times[oldest])
			oldest = i;
	if (times[oldest] != 0 && times[oldest] > now_s - HOUR_S)
		return false;
	times[oldest] = now_s;
	return true;
}
