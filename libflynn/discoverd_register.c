/*
 * discoverd_register - we are here: instances under one session, kept alive and made again.
 *
 * Every registration knows what is wanted and what discoverd is believed to have; step() does the one request that
 * brings them nearer, and each answer steps again. Errors wait a moment and step all.
 */
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/discoverd_internal.h"
#include "libflynn/err.h"
#include "libflynn/http_client.h"
#include "libflynn/json.h"
#include "libflynn/log.h"
#include "libflynn/random.h"
#include "libflynn/uuid.h"
#include "libflynn/xmalloc.h"

#define SESSION_BODY "{\"ttl_s\":10}"
#define BEAT_MIN_MS 3000
#define BEAT_JITTER_MS 1000
#define RETRY_MIN_MS 200
#define RETRY_MAX_MS 1000
#define CALL_MS 2000
#define GOODBYE_MS 500

/* What a session held goes when its life ends: all that was said in an earlier one counts for nothing. */
enum presence {
	ABSENT,
	UNSURE, /* a request may have reached discoverd, or not */
	PRESENT,
};

struct registration {
	TAILQ_ENTRY(registration) link;
	struct fl_discoverd *d;
	char *service, *addr, *id;
	char *meta;   /* JSON object */
	bool wanted;  /* else: to be taken out */
	bool changed; /* since it was last sent */
	bool made_service; /* and still was told that something is missing */
	enum presence said; /* in that life */
	unsigned life;
	struct fl_http_call *call;
	struct event *patience; /* how long unregister waits; runs out at once when there is nothing to wait for */
	void (*on_gone)(void *arg);
	void *gone_arg;
};

static void step(struct registration *r);
static void beat(struct fl_discoverd *d);

static void
registration_free(struct registration *r)
{
	TAILQ_REMOVE(&r->d->reg.list, r, link);
	fl_http_call_cancel(r->call);
	event_free(r->patience);
	free(r->service);
	free(r->addr);
	free(r->id);
	free(r->meta);
	free(r);
}

static enum presence
presence(const struct registration *r)
{
	return r->life == r->d->reg.lives ? r->said : ABSENT;
}

static bool
anything_wanted(const struct fl_discoverd *d)
{
	const struct registration *r;

	TAILQ_FOREACH(r, &d->reg.list, link)
		if (r->wanted)
			return true;
	return false;
}

static void
step_all(struct fl_discoverd *d)
{
	struct registration *r, *next;

	TAILQ_FOREACH_SAFE(r, &d->reg.list, link, next)
		step(r);
}

static void
on_retry(void *arg)
{
	struct fl_discoverd *d = arg;

	if (!d->reg.alive)
		beat(d);
	step_all(d);
}

/* discoverd did not do it: ask the next one, a moment later. */
static void
try_later(struct fl_discoverd *d, const char *what, const struct fl_err *err)
{
	fl_log_debug("discoverd failed", fl_str("call", what), fl_str("err", err->msg));
	d->reg.at = (d->reg.at + 1) % d->n_urls;
	if (!evtimer_pending(d->reg.retry.timer, NULL))
		fl_retry_wait(&d->reg.retry);
}

static struct fl_http_call *
call(struct fl_discoverd *d, const char *method, const char *path, const char *body, fl_http_client_cb cb, void *arg)
{
	char *url = fl_xasprintf("%s%s", d->urls[d->reg.at], path);
	struct fl_http_call_opts opts = {
		.method = method,
		.url = url,
		.body = body,
		.body_len = body != NULL ? strlen(body) : 0,
		.timeout_ms = CALL_MS,
		.connect_timeout_ms = CALL_MS / 2,
	};
	struct fl_http_call *started = fl_http_client_start(d->http, &opts, cb, arg);

	free(url);
	return started;
}

/* The session. */

static void
set_beat(struct fl_discoverd *d)
{
	int ms = BEAT_MIN_MS + (int)fl_random_below(BEAT_JITTER_MS);
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	evtimer_add(d->reg.beat, &tv);
}

/*
 * Whichever request began the session's life, it may be one of ours that we had given up: so not who made it is asked,
 * only whether it is the one we know.
 */
static int
learn_life(struct fl_discoverd *d, const struct fl_http_result *res, struct fl_err *err)
{
	struct fl_json *v = fl_json_parse(res->body, res->len, err);
	const char *life = fl_json_text(v, "life");

	if (v == NULL)
		return -1;
	if (d->reg.life == NULL || strcmp(life, d->reg.life) != 0) {
		if (d->reg.life != NULL)
			fl_log_info("discoverd's session had expired, registering again");
		free(d->reg.life);
		d->reg.life = fl_xstrdup(life);
		d->reg.lives++;
	}
	fl_json_free(v);
	return 0;
}

static void
on_beaten(const struct fl_http_result *res, const struct fl_err *err, void *arg)
{
	struct fl_discoverd *d = arg;
	struct fl_err why = { 0 };

	d->reg.call = NULL;
	if (err == NULL && (fl_http_result_check(res, "keep the session", &why) == -1 || learn_life(d, res, &why) == -1))
		err = &why;
	d->reg.alive = err == NULL;
	if (err != NULL) {
		try_later(d, "session", err);
		return;
	}
	fl_retry_reset(&d->reg.retry);
	set_beat(d);
	step_all(d);
}

/* Make the session, or keep it alive. */
static void
beat(struct fl_discoverd *d)
{
	char *path;

	if (d->reg.call != NULL || !anything_wanted(d))
		return;
	if (d->reg.session == NULL) {
		d->reg.session = fl_xcalloc(1, FL_UUID_LEN + 1);
		fl_uuid_new(d->reg.session);
	}
	path = fl_xasprintf("/sessions/%s", d->reg.session);
	d->reg.call = call(d, "PUT", path, SESSION_BODY, on_beaten, d);
	free(path);
}

static void
on_beat(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct fl_discoverd *d = arg;

	if (anything_wanted(d))
		beat(d);
	else
		d->reg.alive = false; /* nobody keeps it from now on */
}

/* Registrations. */

static void
tell_gone(struct registration *r)
{
	void (*cb)(void *) = r->on_gone;

	r->on_gone = NULL;
	evtimer_del(r->patience);
	if (cb != NULL)
		cb(r->gone_arg);
}

static void
on_service_made(const struct fl_http_result *res, const struct fl_err *err, void *arg)
{
	struct registration *r = arg;
	struct fl_err why = { 0 };

	r->call = NULL;
	if (err == NULL && fl_http_result_check(res, r->service, &why) == -1 && why.kind != FL_ERR_CONFLICT)
		err = &why;
	if (err != NULL)
		try_later(r->d, "create service", err);
	else
		step(r);
}

static void
make_service(struct registration *r)
{
	char *path = fl_xasprintf("/services/%s", r->service);

	r->made_service = true;
	r->call = call(r->d, "PUT", path, "{\"leader_type\":\"oldest\"}", on_service_made, r);
	free(path);
}

/* Service or session's life is missing; the sentence is for people, so make the one and then ask for the other. */
static void
on_missing(struct registration *r, const struct fl_err *err)
{
	struct fl_discoverd *d = r->d;

	r->said = ABSENT;
	if (!r->made_service) {
		make_service(r);
		return;
	}
	r->made_service = false;
	d->reg.alive = false;
	try_later(d, "register", err);
}

static void
on_put(const struct fl_http_result *res, const struct fl_err *err, void *arg)
{
	struct registration *r = arg;
	struct fl_err why = { 0 };

	r->call = NULL;
	if (err == NULL && fl_http_result_check(res, r->service, &why) == 0) {
		r->said = PRESENT;
		r->made_service = false;
		step(r);
	} else if (err == NULL && why.kind == FL_ERR_NOT_FOUND && r->wanted) {
		on_missing(r, &why);
	} else {
		if (err == NULL && why.kind == FL_ERR_INVALID)
			fl_log_error("cannot register", fl_str("service", r->service), fl_str("addr", r->addr), fl_str("err", why.msg));
		try_later(r->d, "register", err != NULL ? err : &why);
	}
}

static void
put(struct registration *r)
{
	const struct registrar *reg = &r->d->reg;
	char *path = fl_xasprintf("/services/%s/instances/%s?session=%s&life=%s", r->service, r->id, reg->session, reg->life);
	struct fl_buf body = { 0 };
	struct fl_jsonw w = fl_jsonw(&body);

	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_str(&w, "id", r->id);
	fl_jsonw_str(&w, "addr", r->addr);
	fl_jsonw_str(&w, "proto", "tcp");
	if (r->meta != NULL)
		fl_jsonw_raw(&w, "meta", r->meta);
	fl_jsonw_close(&w, '}');
	r->changed = false;
	r->said = UNSURE;
	r->life = reg->lives;
	r->call = call(r->d, "PUT", path, fl_buf_cstr(&body), on_put, r);
	fl_buf_release(&body);
	free(path);
}

static void
on_deleted(const struct fl_http_result *res, const struct fl_err *err, void *arg)
{
	struct registration *r = arg;
	struct fl_err why = { 0 };

	r->call = NULL;
	if (err == NULL && (fl_http_result_check(res, r->service, &why) == 0 || why.kind == FL_ERR_NOT_FOUND)) {
		r->said = ABSENT;
		if (r->wanted) /* again, meanwhile */
			tell_gone(r);
		step(r);
	} else {
		try_later(r->d, "unregister", err != NULL ? err : &why);
	}
}

static void
delete(struct registration *r)
{
	char *path = fl_xasprintf("/services/%s/instances/%s", r->service, r->id);

	r->said = UNSURE;
	r->call = call(r->d, "DELETE", path, NULL, on_deleted, r);
	free(path);
}

static void
step(struct registration *r)
{
	struct fl_discoverd *d = r->d;

	if (r->call != NULL)
		return;
	if (r->wanted) {
		if (presence(r) == PRESENT && !r->changed)
			return;
		if (d->reg.alive)
			put(r);
		else if (!evtimer_pending(d->reg.retry.timer, NULL))
			beat(d);
	} else if (presence(r) != ABSENT) {
		delete(r);
	} else {
		static const struct timeval now = { 0, 0 };

		evtimer_add(r->patience, &now);
	}
}

static struct registration *
find(struct fl_discoverd *d, const char *service, const char *addr)
{
	struct registration *r;

	TAILQ_FOREACH(r, &d->reg.list, link)
		if (strcmp(r->service, service) == 0 && strcmp(r->addr, addr) == 0)
			return r;
	return NULL;
}

/* It is out, or discoverd is away: then whoever waits need not wait longer, but it goes on being tried. */
static void
on_patience_end(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct registration *r = arg;
	void (*cb)(void *) = r->on_gone;
	void *cb_arg = r->gone_arg;

	r->on_gone = NULL;
	if (!r->wanted && presence(r) == ABSENT && r->call == NULL)
		registration_free(r);
	if (cb != NULL)
		cb(cb_arg);
}

static struct registration *
registration_new(struct fl_discoverd *d, const char *service, const char *addr)
{
	struct registration *r = fl_xcalloc(1, sizeof(*r));

	r->d = d;
	r->service = fl_xstrdup(service);
	r->addr = fl_xstrdup(addr);
	r->id = fl_instance_id("tcp", addr);
	r->patience = evtimer_new(d->base, on_patience_end, r);
	TAILQ_INSERT_TAIL(&d->reg.list, r, link);
	return r;
}

static char *
meta_json(const char *const *meta)
{
	struct fl_buf b = { 0 };
	struct fl_jsonw w = fl_jsonw(&b);

	if (meta == NULL || meta[0] == NULL)
		return NULL;
	fl_jsonw_open(&w, NULL, '{');
	for (size_t i = 0; meta[i] != NULL; i += 2)
		fl_jsonw_str(&w, meta[i], meta[i + 1]);
	fl_jsonw_close(&w, '}');
	return fl_buf_detach(&b);
}

void
fl_discoverd_register(struct fl_discoverd *d, const char *service, const char *addr, const char *const *meta)
{
	struct registration *r = find(d, service, addr);

	if (r == NULL)
		r = registration_new(d, service, addr);
	free(r->meta);
	r->meta = meta_json(meta);
	r->wanted = true;
	r->changed = true;
	step(r);
}

void
fl_discoverd_unregister(struct fl_discoverd *d, const char *service, const char *addr, void (*cb)(void *arg), void *arg)
{
	static const struct timeval patience = { CALL_MS / 1000, CALL_MS % 1000 * 1000 };
	struct registration *r = find(d, service, addr);

	if (r == NULL)
		r = registration_new(d, service, addr);
	r->wanted = false;
	r->on_gone = cb;
	r->gone_arg = arg;
	evtimer_add(r->patience, &patience);
	step(r);
}

void
registrar_init(struct fl_discoverd *d)
{
	TAILQ_INIT(&d->reg.list);
	d->reg.beat = evtimer_new(d->base, on_beat, d);
	fl_retry_init(&d->reg.retry, d->base, RETRY_MIN_MS, RETRY_MAX_MS, on_retry, d);
}

/* The loop may never run again, so this one request is waited for, but not long. */
static void
say_goodbye(struct fl_discoverd *d)
{
	char *url = fl_xasprintf("%s/sessions/%s", d->urls[d->reg.at], d->reg.session);
	struct fl_http_call_opts opts = {
		.method = "DELETE", .url = url, .key = d->key, .timeout_ms = GOODBYE_MS, .connect_timeout_ms = GOODBYE_MS
	};

	free(fl_http_fetch(&opts, NULL, NULL, NULL, NULL));
	free(url);
}

void
registrar_release(struct fl_discoverd *d)
{
	struct registration *r, *next;

	if (d->reg.alive && !TAILQ_EMPTY(&d->reg.list))
		say_goodbye(d);
	TAILQ_FOREACH_SAFE(r, &d->reg.list, link, next)
		registration_free(r);
	fl_http_call_cancel(d->reg.call);
	event_free(d->reg.beat);
	fl_retry_release(&d->reg.retry);
	free(d->reg.session);
	free(d->reg.life);
}
