/*
 * acme_decide - what an order for a certificate does next, and when orders are made: policy without clocks, network or etcd.
 *
 * RFC 8555 section 7. Every wait is bounded in number and length, so that no server can make us loop.
 */
#ifndef ROUTER_ACME_DECIDE_H
#define ROUTER_ACME_DECIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fl_err;
struct fl_json;

enum acme_challenge { ACME_HTTP_01, ACME_TLS_ALPN_01, ACME_CHALLENGES };

/* "http-01", "tls-alpn-01". */
const char *acme_challenge_name(enum acme_challenge c);
/* ACME_CHALLENGES: it is none. */
enum acme_challenge acme_challenge_of(const char *name);

/* What is under way, or to be done. */
enum acme_step {
	ACME_ORDER,	 /* ask for an order */
	ACME_AUTHZ,	 /* look at the authorisation */
	ACME_PUBLISH,	 /* let all routers answer the challenge */
	ACME_RESPOND,	 /* say that they do */
	ACME_POLL_AUTHZ, /* has the server seen it? */
	ACME_POLL_ORDER, /* may we go on? */
	ACME_FINALIZE,	 /* send the signing request */
	ACME_FETCH,	 /* the certificate */
	ACME_STEP_DONE	 /* its text is the reply */
};

/* What the server said, its headers as numbers. json and body are borrowed. */
struct acme_reply {
	int status;
	const char *location;	   /* NULL: none */
	int64_t retry_after_s;	   /* -1: none */
	const struct fl_json *json; /* NULL: it is none */
	const char *body;
	size_t len;
};

/* An order as far as it has come. { 0 } with wants set is one to begin. */
struct acme_progress {
	enum acme_challenge wants; /* tried first; chosen says which it is */
	enum acme_challenge chosen;
	enum acme_step step;
	char *order_url, *authz_url, *challenge_url, *finalize_url, *cert_url, *token;
	int n_polls; /* in a row */
	bool is_finalized;
};

#define ACME_MAX_URL 2048
#define ACME_MAX_TOKEN 128
/* Polls in a row, and the longest wait between two. */
#define ACME_MAX_POLLS 30
#define ACME_MAX_POLL_S 20

/*
 * The step's request was answered well (2xx); for ACME_PUBLISH, which asks no server, reply is NULL. Sets step to what is
 * next, in *wait_ms; or -1: the order has failed.
 */
int acme_decide(struct acme_progress *p, const struct acme_reply *reply, int *wait_ms, struct fl_err *err);
void acme_progress_release(struct acme_progress *p);

/*
 * The sentence in a problem document, RFC 8555 section 6.7: "detail (type)", with that of its first subproblem. false: v is
 * none. type is borrowed from v, without "urn:ietf:params:acme:error:"; "" if it is of another kind.
 */
bool acme_problem(const struct fl_json *v, const char **type, char *text, size_t size);

/* The seconds of a Retry-After header, RFC 9110 section 10.2.3, from now_s (since 1970); -1: there is none to honour. */
int64_t acme_retry_after(const char *value, int64_t now_s);

/*
 * How long until the next order after so many failures (1: the first): base_s doubled each time, a day at most, and up to a
 * quarter more by chance (random), but not before the server wants to be asked again, a week at most.
 */
int64_t acme_backoff_s(int failures, int base_s, int64_t retry_after_s, uint32_t random);

/*
 * When to renew a certificate: after two thirds of its life, and up to a twentieth more by chance (random, the same
 * whenever it is asked). now_s is when it came: a third of what is left then passes in any case.
 */
int64_t acme_renew_at(int64_t not_before, int64_t not_after, int64_t now_s, uint32_t random);

/* What is known of a domain that is to have a certificate. */
enum acme_state {
	ACME_WAITING,  /* nothing was done yet */
	ACME_ORDERING, /* an order is under way; or was, when its router died */
	ACME_VALID,    /* the last order worked */
	ACME_FAILED,   /* the last order did not */
	ACME_STATES
};

struct acme_facts {
	bool is_own;  /* its owner gave it a certificate */
	bool has_cert; /* got by ACME, with these dates */
	int64_t not_before, not_after;
	uint32_t random; /* of the certificate: the same on all routers */
	enum acme_state state;
	int64_t next_s; /* no order before this time, if there is a state; set when an order begins, so that none is forgotten */
};

/* When the next order is due, since 1970; INT64_MAX: never. */
int64_t acme_due(const struct acme_facts *f);

/* At most n events an hour: times are those of the last n, zero at first. true: one more may happen, and is noted. */
bool acme_window_take(int64_t *times, size_t n, int64_t now_s);

#endif
