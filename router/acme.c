#include "router/acme_internal.h"

#include <event2/event.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/clock.h"
#include "libflynn/err.h"
#include "libflynn/etcd.h"
#include "libflynn/json.h"
#include "libflynn/log.h"
#include "libflynn/map.h"
#include "libflynn/xmalloc.h"
#include "router/acme_client.h"
#include "router/acme_jws.h"
#include "router/acme_order.h"
#include "router/acme_status.h"
#include "router/challenge.h"
#include "router/lead.h"
#include "router/plane.h"
#include "router/reclaim.h"
#include "router/route.h"
#include "router/sync.h"

#define LEADER_KEY ACME_PREFIX "leader"
#define ACCOUNT_PREFIX ACME_PREFIX "accounts/"
#define STATUS_PREFIX ACME_PREFIX "status/"

/* Orders under way at one time. */
#define MAX_RUNNING 4
/* The timer looks at the clock so often, as that may be set. */
#define MAX_SLEEP_S 600

static void ensure_key(struct acme *a);

int64_t
acme_now_s(void)
{
	return fl_clock_wall_us() / 1000000;
}

void
acme_wipe_free(char *secret)
{
	if (secret != NULL)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}

static void
on_nothing(FL_UNUSED int64_t rev, FL_UNUSED const struct fl_err *err, FL_UNUSED void *arg)
{
}

/* ---- how domains stand ----------------------------------------------------------------------- */

struct acme_status *
acme_status_of(const struct acme *a, const char *domain)
{
	return fl_map_get(a->statuses, domain);
}

static void
on_status_put(FL_UNUSED int64_t rev, const struct fl_err *err, FL_UNUSED void *arg)
{
	if (err != NULL)
		fl_log_warn("cannot note in etcd how a certificate stands", fl_str("err", err->msg));
}

void
acme_set_status(struct acme *a, const char *domain, const struct acme_status *status)
{
	char *key = fl_xasprintf("%s%s", STATUS_PREFIX, domain);
	struct fl_buf b = { 0 };

	free(fl_map_set(a->statuses, domain, fl_xmemdup(status, sizeof(*status))));
	acme_status_write(status, &b);
	fl_etcd_put(a->etcd, key, fl_buf_cstr(&b), 0, FL_ETCD_ANY, on_status_put, NULL);
	fl_buf_release(&b);
	free(key);
}

static void
forget_status(struct acme *a, const char *domain)
{
	char *key = fl_xasprintf("%s%s", STATUS_PREFIX, domain);

	free(fl_map_remove(a->statuses, domain));
	fl_etcd_delete(a->etcd, key, on_nothing, NULL);
	free(key);
}

char *
acme_describe(const struct acme *a, const struct route *r)
{
	const struct acme_status waiting = { .state = ACME_WAITING }, *s;
	struct fl_buf b = { 0 };

	if (r->type != ROUTE_HTTP || !r->auto_tls)
		return NULL;
	if (r->tls_cert != NULL && !r->is_cert_auto)
		return fl_xstrdup("{\"state\":\"own\"}");
	if (a == NULL)
		return fl_xstrdup("{\"state\":\"off\",\"error\":\"this router has no -acme-directory\"}");
	s = acme_status_of(a, r->domain);
	acme_status_write(s != NULL ? s : &waiting, &b);
	return fl_buf_detach(&b);
}

void
acme_count(const struct acme *a, uint64_t *done, uint64_t *failed)
{
	*done = a->n_done;
	*failed = a->n_failed;
}

/* ---- when ------------------------------------------------------------------------------------ */

static void
on_timer(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct acme *a = arg;

	ensure_key(a);
	if (!a->is_leader || a->client == NULL)
		return;
	FL_MAP_EACH(a->tasks, e) {
		struct task *t = fl_map_value(e);

		if (a->n_running < MAX_RUNNING && acme_task_due(t) <= acme_now_s())
			acme_task_begin(t);
	}
	acme_schedule(a);
}

void
acme_schedule(struct acme *a)
{
	int64_t next_s = acme_now_s() + MAX_SLEEP_S;
	struct timeval tv = { 0 };

	if (!a->is_leader || a->client == NULL || a->n_running >= MAX_RUNNING)
		return; /* whatever ends this calls again */
	FL_MAP_EACH(a->tasks, e) {
		int64_t due_s = acme_task_due(fl_map_value(e));

		next_s = due_s < next_s ? due_s : next_s;
	}
	tv.tv_sec = next_s > acme_now_s() ? next_s - acme_now_s() : 0;
	evtimer_add(a->timer, &tv);
}

/* ---- leading --------------------------------------------------------------------------------- */

static void
on_key_made(FL_UNUSED int64_t rev, const struct fl_err *err, void *arg)
{
	struct acme *a = arg;
	struct timeval again = { .tv_sec = 2 };

	a->is_making_key = false;
	if (err == NULL || err->kind == FL_ERR_CONFLICT)
		return; /* the watch brings it */
	fl_log_warn("cannot store the key of the ACME account", fl_str("err", err->msg));
	evtimer_add(a->timer, &again);
}

/* The account's key is in etcd, or will be: the one that we know, or a new one. */
static void
ensure_key(struct acme *a)
{
	EVP_PKEY *key;
	char *pem;

	if (!a->is_leader || !a->is_synced || a->has_key || a->is_making_key)
		return;
	a->is_making_key = true;
	key = a->client != NULL ? acme_client_key(a->client) : jws_key_new();
	pem = jws_key_pem(key);
	fl_etcd_put(a->etcd, a->account_key, pem, 0, FL_ETCD_ABSENT, on_key_made, a);
	acme_wipe_free(pem);
	if (a->client == NULL)
		EVP_PKEY_free(key);
}

static void
on_lead(bool is_leader, void *arg)
{
	struct acme *a = arg;

	a->is_leader = is_leader;
	if (is_leader) {
		ensure_key(a);
		acme_schedule(a);
		return;
	}
	evtimer_del(a->timer);
	FL_MAP_EACH(a->tasks, e)
		acme_task_settle(fl_map_value(e));
}

static void
take_key(struct acme *a, const char *pem)
{
	const struct acme_client_config cfg = {
		.base = a->cfg.base,
		.directory = a->cfg.directory,
		.ca_file = a->cfg.ca_file,
		.email = a->cfg.email,
		.eab_kid = a->cfg.eab_kid,
		.eab_key = a->cfg.eab_key,
	};
	struct fl_err err = { 0 };
	EVP_PKEY *key = NULL;

	a->has_key = true;
	if (a->client != NULL)
		return;
	if ((key = jws_key_parse(pem, &err)) != NULL)
		a->client = acme_client_new(&cfg, key);
	else
		fl_log_warn("the key of the ACME account in etcd is no use: remove it", fl_str("key", a->account_key), fl_str("err", err.msg));
	EVP_PKEY_free(key);
	acme_schedule(a);
}

/* ---- challenges ------------------------------------------------------------------------------ */

/* Let workers answer those that are open. gone: one that is not, or NULL. */
static void
publish_challenges(struct acme *a, struct challenge *gone)
{
	struct plane *plane = a->cfg.plane;
	size_t n = fl_map_count(a->challenges);
	struct challenge_set *set = n > 0 ? fl_xcalloc(1, sizeof(*set) + n * sizeof(set->items[0])) : NULL;
	const struct challenge_set *old;

	FL_MAP_EACH(a->challenges, e) {
		if (set != NULL)
			set->items[set->n++] = fl_map_value(e);
	}
	old = atomic_exchange(&plane->challenges, set);
	if (old != NULL)
		reclaim_retire(plane->reclaim, (void *)old, free, NULL);
	if (gone != NULL)
		reclaim_retire(plane->reclaim, gone, challenge_free, NULL);
}

static void
take_challenge(struct acme *a, const char *domain, const struct fl_etcd_kv *kv)
{
	struct fl_err err = { 0 };
	struct fl_json *v = fl_json_parse(kv->value, kv->value_len, &err);
	const char *token = fl_json_text(v, "token"), *key_auth = fl_json_text(v, "key_auth");
	struct challenge *c = NULL;

	if (v != NULL && fl_map_count(a->challenges) >= CHALLENGES_MAX && fl_map_get(a->challenges, domain) == NULL)
		fl_err_set(&err, FL_ERR_TOO_BIG, "%d are open", CHALLENGES_MAX);
	else if (v != NULL)
		c = challenge_new(domain, token, key_auth, &err);
	if (c != NULL)
		publish_challenges(a, fl_map_set(a->challenges, domain, c));
	else
		fl_log_warn("an ACME challenge is not answered", fl_str("domain", domain), fl_str("err", err.msg));
	fl_json_free(v);
}

/* ---- etcd ------------------------------------------------------------------------------------ */

/* What comes behind the prefix, or NULL. */
static const char *
behind(const char *key, const char *prefix)
{
	size_t len = strlen(prefix);

	return strncmp(key, prefix, len) == 0 ? key + len : NULL;
}

static void
take_status(struct acme *a, const char *domain, const struct fl_etcd_kv *kv)
{
	struct acme_status s;

	if (acme_status_parse(kv->value, kv->value_len, &s) == 0)
		free(fl_map_set(a->statuses, domain, fl_xmemdup(&s, sizeof(s))));
	acme_schedule(a);
}

static void
on_put(const struct fl_etcd_kv *kv, void *arg)
{
	struct acme *a = arg;
	const char *name;

	if (strcmp(kv->key, LEADER_KEY) == 0)
		lead_seen(a->lead, true);
	else if (strcmp(kv->key, a->account_key) == 0)
		take_key(a, kv->value);
	else if ((name = behind(kv->key, ACME_CHALLENGE_PREFIX)) != NULL)
		take_challenge(a, name, kv);
	else if ((name = behind(kv->key, STATUS_PREFIX)) != NULL)
		take_status(a, name, kv);
}

static void
on_delete(const char *key, void *arg)
{
	struct acme *a = arg;
	struct challenge *gone;
	const char *name;

	if (strcmp(key, LEADER_KEY) == 0) {
		lead_seen(a->lead, false);
	} else if (strcmp(key, a->account_key) == 0) {
		a->has_key = false;
		ensure_key(a);
	} else if ((name = behind(key, ACME_CHALLENGE_PREFIX)) != NULL) {
		if ((gone = fl_map_remove(a->challenges, name)) != NULL)
			publish_challenges(a, gone);
	} else if ((name = behind(key, STATUS_PREFIX)) != NULL) {
		free(fl_map_remove(a->statuses, name));
		acme_schedule(a);
	}
}

static void
on_synced(void *arg)
{
	struct acme *a = arg;

	a->is_synced = true;
	acme_changed(a);
	ensure_key(a);
}

/* ---- routes ---------------------------------------------------------------------------------- */

/* Of several routes of a domain, which differ by path, one has the certificate: that which has it already, else the first. */
static void
note_route(const struct route *r, void *arg)
{
	struct acme *a = arg;
	struct task *t;
	int64_t rev = 0;

	if (r->type != ROUTE_HTTP || !r->auto_tls)
		return;
	t = acme_task_of(a, r->domain);
	if (t->is_seen && (!r->is_cert_auto || t->facts.has_cert))
		return;
	t->is_seen = true;
	sync_find(a->sync, r->id, &rev);
	if (t->route_id != NULL && strcmp(t->route_id, r->id) == 0 && t->rev == rev)
		return;
	free(t->route_id);
	t->route_id = fl_xstrdup(r->id);
	t->rev = rev;
	t->facts = (struct acme_facts){ .is_own = r->tls_cert != NULL && !r->is_cert_auto };
	if (r->tls_cert != NULL && r->is_cert_auto)
		acme_task_look(t, r->tls_cert, r->tls_key);
}

/* Its last route has gone, or has auto_tls no more. What it has ordered of late is remembered for an hour. */
static void
retire(struct acme *a, struct task *t)
{
	bool is_recent = t->is_storing;

	if (t->route_id != NULL) {
		acme_task_settle(t);
		if (a->is_leader)
			forget_status(a, t->domain);
	}
	free(t->route_id);
	t->route_id = NULL;
	for (size_t i = 0; i < fl_nitems(t->times); i++)
		is_recent = is_recent || (t->times[i] != 0 && t->times[i] > acme_now_s() - 3600);
	if (is_recent)
		return;
	fl_map_remove(a->tasks, t->domain);
	acme_task_free(t);
}

void
acme_changed(struct acme *a)
{
	size_t n = 0;

	if (a == NULL || !a->is_synced || !sync_is_ready(a->sync))
		return;
	FL_MAP_EACH(a->tasks, e)
		((struct task *)fl_map_value(e))->is_seen = false;
	sync_each(a->sync, note_route, a);
	FL_MAP_EACH(a->tasks, e) {
		struct task *t = fl_map_value(e);

		n += t->is_seen;
		if (!t->is_seen)
			retire(a, t);
	}
	lead_want(a->lead, n > 0 && !a->is_stopping);
	acme_schedule(a);
}

/* ---- life ------------------------------------------------------------------------------------ */

struct acme *
acme_new(const struct acme_config *cfg, struct fl_err *err)
{
	const struct acme_client_config client = { .directory = cfg->directory, .eab_kid = cfg->eab_kid, .eab_key = cfg->eab_key };
	struct acme *a;

	if (cfg->ca_file != NULL && access(cfg->ca_file, R_OK) == -1) {
		fl_err_sys(err, "read the authorities to trust with the ACME server, %s", cfg->ca_file);
		return NULL;
	}
	if (acme_client_check(&client, err) == -1 || (cfg->plane->challenge_tls = challenge_ctx_new(cfg->plane, err)) == NULL)
		return NULL;
	a = fl_xcalloc(1, sizeof(*a));
	a->cfg = *cfg;
	a->account_key = fl_xasprintf("%s%s", ACCOUNT_PREFIX, cfg->directory);
	a->tasks = fl_map_new();
	a->statuses = fl_map_new();
	a->challenges = fl_map_new();
	a->timer = evtimer_new(cfg->base, on_timer, a);
	return a;
}

void
acme_start(struct acme *a, struct fl_etcd *etcd, struct sync *sync)
{
	static const struct fl_etcd_mirror_ops ops = { on_put, on_delete, on_synced };

	a->etcd = etcd;
	a->sync = sync;
	a->lead = lead_new(a->cfg.base, etcd, LEADER_KEY, on_lead, a);
	a->mirror = fl_etcd_mirror_start(etcd, ACME_PREFIX, &ops, a);
}

void
acme_stop(struct acme *a, void (*done)(void *), void *arg)
{
	a->is_stopping = true;
	lead_quit(a->lead, done, arg);
}

void
acme_free(struct acme *a)
{
	if (a == NULL)
		return;
	fl_etcd_mirror_free(a->mirror);
	lead_free(a->lead);
	FL_MAP_EACH(a->tasks, e)
		acme_order_drop(((struct task *)fl_map_value(e))->order);
	acme_client_free(a->client);
	fl_map_free_with(a->tasks, acme_task_free);
	fl_map_free_with(a->statuses, free);
	free((void *)atomic_load(&a->cfg.plane->challenges));
	fl_map_free_with(a->challenges, challenge_free);
	event_free(a->timer);
	free(a->account_key);
	free(a);
}
