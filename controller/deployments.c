#include "controller/deployments.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/answer.h"
#include "controller/body.h"
#include "controller/controller.h"
#include "controller/deploy_decide.h"
#include "controller/path_id.h"
#include "controller/process_type.h"
#include "controller/query.h"
#include "controller/subscriber.h"
#include "controller/tx.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/http_server.h"
#include "libflynn/json.h"
#include "libflynn/list.h"
#include "libflynn/pg.h"
#include "libflynn/uuid.h"
#include "libflynn/xmalloc.h"

#define LIST_MAX "100"
#define STRATEGY_DEFAULT "one-by-one"
#define TIMEOUT_DEFAULT "120"
#define BATCH_MAX 10000

/* behind: the one that is carried out, or will be, before this one. */
#define COLUMNS                                                                                          \
	"d.deployment_id, d.app_id, d.old_release_id, d.new_release_id, d.strategy, d.status, d.error,"  \
	" d.processes, d.timeout_s, micros(d.created_at), micros(d.finished_at),"                        \
	" CASE WHEN d.status = 'pending' THEN (SELECT o.deployment_id FROM deployments o"                \
	"  WHERE o.app_id = d.app_id AND o.finished_at IS NULL AND o.created_at < d.created_at"          \
	"  ORDER BY o.created_at DESC LIMIT 1) END, d.release_job, d.batch_size,"                            \
	" d.base IS NOT NULL AND d.begun_at IS NULL AND d.status = 'failed'"

const char deployments_give_up_sql[] =
    DEPLOYMENTS_LOCK
    " d AS (UPDATE deployments t SET status = $2, error = $3, owner = NULL, lease_until = NULL, finished_at = clock_timestamp()"
    "  FROM a WHERE t.deployment_id = $1 AND t.finished_at IS NULL AND ($4::uuid IS NULL OR t.owner = $4) RETURNING t.*),"
    " old AS (UPDATE formations f SET processes = d.old_processes, updated_at = clock_timestamp() FROM d"
    "  WHERE f.app_id = d.app_id AND f.release_id = d.old_release_id AND f.deleted_at IS NULL),"
    " new AS (UPDATE formations f SET processes = NULL, deleted_at = clock_timestamp(), updated_at = clock_timestamp() FROM d"
    "  WHERE f.app_id = d.app_id AND f.release_id = d.new_release_id AND d.begun_at IS NOT NULL"
    "   AND d.new_release_id IS DISTINCT FROM d.old_release_id AND f.deleted_at IS NULL)"
    " SELECT deployment_id FROM d";

struct follower {
	struct subscriber sub;
	char id[FL_UUID_LEN + 1];
	char *told; /* its status and release phase, last */
};

struct deployments {
	struct controller *c;
	struct subscribers followers;
};

static void
deployments_write(struct fl_jsonw *w, const char *key, const PGresult *res, int row)
{
	fl_jsonw_open(w, key, '{');
	row_id(w, "id", res, row, 0);
	row_id(w, "app", res, row, 1);
	row_id(w, "old_release", res, row, 2);
	row_id(w, "new_release", res, row, 3);
	row_str(w, "strategy", res, row, 4);
	row_str(w, "status", res, row, 5);
	row_str(w, "error", res, row, 6);
	row_json(w, "processes", res, row, 7);
	row_int(w, "deploy_timeout", res, row, 8);
	row_int(w, "deploy_batch_size", res, row, 13);
	row_time(w, "created_at", res, row, 9);
	row_time(w, "finished_at", res, row, 10);
	row_id(w, "behind", res, row, 11);
	row_str(w, "release_job", res, row, 12);
	if (row_bool(res, row, 14))
		fl_jsonw_bool(w, "overtaken", true);
	fl_jsonw_close(w, '}');
}

/* ---- asking for one ---- */

enum { APP, RELEASE, STRATEGY, TIMEOUT, BATCH, PROCESSES, BASE, DEPLOYMENT };

/* A number that the request did not say and the app's meta says, as text; else def. */
static void
wish_number(struct tx *tx, size_t param, const struct fl_json *meta, const char *key, int max, const char *def)
{
	const char *text = fl_json_text(meta, key);
	size_t digits = strspn(text, "0123456789");

	if (tx->params[param] != NULL)
		return;
	if (digits == 0 || digits > 5 || text[digits] != '\0' || atoi(text) < 1 || atoi(text) > max)
		text = def;
	tx_set(tx, param, text);
}

/* How the app is to be deployed, where the request does not say. What its meta says wrongly is as if it said nothing. */
static void
wish(struct tx *tx, const PGresult *res)
{
	struct fl_json *meta = row_parse(res, 0, 3);
	const char *strategy = fl_json_text(meta, DEPLOYMENTS_META_STRATEGY);
	enum deploy_strategy known;

	if (tx->params[STRATEGY] == NULL)
		tx_set(tx, STRATEGY, deploy_strategy_parse(strategy, &known) == 0 ? strategy : STRATEGY_DEFAULT);
	wish_number(tx, TIMEOUT, meta, DEPLOYMENTS_META_TIMEOUT, DEPLOYMENTS_TIMEOUT_MAX_S, TIMEOUT_DEFAULT);
	wish_number(tx, BATCH, meta, DEPLOYMENTS_META_BATCH_SIZE, BATCH_MAX, NULL);
	wish_number(tx, BATCH, meta, DEPLOYMENTS_META_BATCH_SIZE_2021, BATCH_MAX, NULL);
	fl_json_free(meta);
}

/* How many are to run is known to be right only with the release. */
static enum tx_next
check_processes(struct tx *tx, const PGresult *res)
{
	struct fl_json *types = row_parse(res, 0, 2), *counts = NULL;
	struct fl_err err = { 0 };
	int r;

	if (tx->params[PROCESSES] != NULL)
		counts = fl_json_parse(tx->params[PROCESSES], strlen(tx->params[PROCESSES]), NULL);
	r = process_type_check_counts(counts, types, &err);
	fl_json_free(types);
	fl_json_free(counts);
	return r == 0 ? TX_GO_ON : tx_fail(tx, err.kind, "processes", "%s", err.msg);
}

static enum tx_next
on_locked(struct tx *tx, const PGresult *res)
{
	if (PQntuples(res) == 0)
		return tx_fail(tx, FL_ERR_NOT_FOUND, NULL, "there is no such app");
	if (row_is_null(res, 0, 1))
		return tx_fail(tx, FL_ERR_INVALID, NULL, "there is no release %s", tx->params[RELEASE]);
	tx_set_id(tx, APP, res, 0, 0);
	wish(tx, res);
	return check_processes(tx, res);
}

static enum tx_next
on_inserted(struct tx *tx, const PGresult *res)
{
	if (PQntuples(res) == 0)
		return tx_fail(tx, FL_ERR_INVALID, NULL, "there is no release %s", tx->params[RELEASE]);
	tx_set_id(tx, DEPLOYMENT, res, 0, 0);
	return TX_GO_ON;
}

static enum tx_next
on_created(struct tx *tx, const PGresult *res)
{
	struct fl_jsonw w = fl_jsonw(&tx->answer);

	deployments_write(&w, NULL, res, 0);
	return TX_GO_ON;
}

/* The lock on the app gives its deployments an order, and keeps its releases from being collected. */
static const struct tx_step create_steps[] = {
	{ "SELECT a.app_id, r.release_id, r.processes, a.meta FROM apps a"
	  " LEFT JOIN releases r ON r.release_id = $2 AND r.deleted_at IS NULL"
	  " WHERE a.app_id = find_app($1) AND a.deleted_at IS NULL FOR NO KEY UPDATE OF a", 2, { APP, RELEASE }, on_locked },
	{ "INSERT INTO deployments (app_id, new_release_id, strategy, timeout_s, batch_size, processes, base)"
	  " SELECT $1::uuid, release_id, $3, $4::integer, $5::integer, $6::json, $7 FROM releases"
	  "  WHERE release_id = $2 AND deleted_at IS NULL RETURNING deployment_id",
	    7, { APP, RELEASE, STRATEGY, TIMEOUT, BATCH, PROCESSES, BASE }, on_inserted },
	{ "SELECT " COLUMNS " FROM deployments d WHERE d.deployment_id = $1", 1, { DEPLOYMENT }, on_created },
};

/* A number of the request as text, "" without one. -1: answered. */
static int
read_number(struct fl_http_req *req, const struct fl_json *in, const char *key, int max, char text[16])
{
	const struct fl_json *v = fl_json_get(in, key);
	int64_t n = fl_json_int(v, 0);

	*text = '\0';
	if (fl_json_is_null(v))
		return 0;
	if (n < 1 || n > max) {
		answer_invalid(req, key, "must be a number from 1 to %d", max);
		return -1;
	}
	snprintf(text, 16, "%lld", (long long)n);
	return 0;
}

void
deployments_create(struct fl_http_req *req, void *arg)
{
	const struct fl_json *in = body_object(req, BODY_MAX);
	const char *strategy = NULL;
	char id[FL_UUID_LEN + 1], base[FL_UUID_LEN + 1], timeout[16], batch[16];
	enum deploy_strategy known;
	struct tx *tx;
	char *processes;

	if (in == NULL || body_id(req, in, "id", id) == -1 || body_id(req, in, "base", base) == -1 ||
	    body_str(req, in, "strategy", 64, &strategy) == -1 ||
	    read_number(req, in, "timeout", DEPLOYMENTS_TIMEOUT_MAX_S, timeout) == -1 ||
	    read_number(req, in, "batch_size", BATCH_MAX, batch) == -1)
		return;
	if (*id == '\0') {
		answer_invalid(req, "id", "is missing: send the id of the release that is to be deployed");
		return;
	}
	if (strategy != NULL && deploy_strategy_parse(strategy, &known) == -1) {
		answer_invalid(req, "strategy", "must be one-by-one, in-batches, all-at-once or one-down-one-up");
		return;
	}
	tx = tx_new(arg, req, create_steps, fl_nitems(create_steps));
	tx_set(tx, APP, fl_http_param(req, "app"));
	tx_set(tx, RELEASE, id);
	tx_set(tx, BASE, fl_json_is_null(fl_json_get(in, "base")) ? NULL : base);
	tx_set(tx, STRATEGY, strategy);
	tx_set(tx, TIMEOUT, *timeout != '\0' ? timeout : NULL);
	tx_set(tx, BATCH, *batch != '\0' ? batch : NULL);
	processes = body_text(fl_json_get(in, "processes"), NULL);
	tx_set(tx, PROCESSES, processes);
	tx_run(tx);
	free(processes);
}

/* ---- looking at them ---- */

void
deployments_list(struct fl_http_req *req, void *arg)
{
	query_parts(arg, req, "SELECT " COLUMNS " FROM apps a LEFT JOIN deployments d ON d.app_id = a.app_id"
			      " WHERE a.app_id = find_app($1) ORDER BY d.created_at DESC LIMIT " LIST_MAX,
	    (const char *[]){ fl_http_param(req, "app") }, 1, deployments_write);
}

static struct follower *
of(struct subscriber *s)
{
	return (struct follower *)s;
}

static void
follower_free(struct subscriber *s)
{
	free(of(s)->told);
	free(s);
}

/* Tell of the row, if its status or release phase is another than before. True: it was the last. */
static bool
follower_tell(struct follower *f, const PGresult *res)
{
	const char *status = fl_pg_str(res, 0, 5, "");
	char *now = fl_xasprintf("%s %s", status, fl_pg_str(res, 0, 12, ""));
	struct fl_buf b = { 0 };
	struct fl_jsonw w = fl_jsonw(&b);

	if (f->told != NULL && strcmp(f->told, now) == 0) {
		free(now);
		return false;
	}
	free(f->told);
	f->told = now;
	deployments_write(&w, NULL, res, 0);
	fl_http_sse_send(f->sub.req, status, NULL, fl_buf_cstr(&b));
	fl_buf_release(&b);
	return !row_is_null(res, 0, 10);
}

static void
on_row(struct subscriber *s, const PGresult *res)
{
	if (PQntuples(res) == 0) {
		subscriber_not_found(s);
		return;
	}
	if (!s->started)
		subscriber_start(s);
	if (follower_tell(of(s), res))
		subscriber_end(s);
	else
		subscriber_pump(s);
}

static void
follower_look(struct subscriber *s)
{
	subscriber_query(s, "SELECT " COLUMNS " FROM deployments d WHERE d.deployment_id = $1", (const char *[]){ of(s)->id }, 1,
	    on_row);
}

void
deployments_get(struct fl_http_req *req, void *arg)
{
	static const struct subscriber_ops ops = { follower_look, follower_free };
	struct controller *c = arg;
	char id[FL_UUID_LEN + 1];
	struct follower *f;

	if (path_id(req, "deployment", id) == -1)
		return;
	if (!fl_http_accepts(req, "text/event-stream")) {
		query_one(c, req, "SELECT " COLUMNS " FROM deployments d WHERE d.deployment_id = $1", (const char *[]){ id }, 1,
		    deployments_write);
		return;
	}
	f = fl_xcalloc(1, sizeof(*f));
	memcpy(f->id, id, sizeof(id));
	subscriber_join(&f->sub, &c->deployments->followers, &ops, c->pg, req);
	follower_look(&f->sub);
}

struct deployments *
deployments_new(struct controller *c)
{
	struct deployments *ds = fl_xcalloc(1, sizeof(*ds));

	ds->c = c;
	TAILQ_INIT(&ds->followers);
	return ds;
}

void
deployments_free(struct deployments *ds)
{
	if (ds == NULL)
		return;
	subscribers_free(&ds->followers);
	free(ds);
}

void
deployments_changed(struct deployments *ds, const char *deployment_id)
{
	struct subscriber *s, *next;

	TAILQ_FOREACH_SAFE(s, &ds->followers, link, next)
		if (deployment_id == NULL || strcmp(of(s)->id, deployment_id) == 0)
			subscriber_stir(s);
}

/* ---- giving one up ---- */

enum { ID, STATUS, WHY, OWNER };

static enum tx_next
on_given_up(struct tx *tx, const PGresult *res)
{
	return PQntuples(res) > 0 ? TX_GO_ON : tx_fail(tx, FL_ERR_INVALID, NULL, "the deployment has ended already");
}

static enum tx_next
on_found(struct tx *tx, const PGresult *res)
{
	return PQntuples(res) > 0 ? TX_GO_ON : tx_fail(tx, FL_ERR_NOT_FOUND, NULL, "there is no such deployment");
}

static const struct tx_step cancel_steps[] = {
	{ "SELECT 1 FROM deployments WHERE deployment_id = $1", 1, { ID }, on_found },
	{ deployments_give_up_sql, 4, { ID, STATUS, WHY, OWNER }, on_given_up },
	{ "SELECT " COLUMNS " FROM deployments d WHERE d.deployment_id = $1", 1, { ID }, on_created },
};

void
deployments_cancel(struct fl_http_req *req, void *arg)
{
	char id[FL_UUID_LEN + 1];
	struct tx *tx;

	if (path_id(req, "deployment", id) == -1)
		return;
	tx = tx_new(arg, req, cancel_steps, fl_nitems(cancel_steps));
	tx_set(tx, ID, id);
	tx_set(tx, STATUS, "cancelled");
	tx_set(tx, WHY, "it was cancelled");
	tx_run(tx);
}
