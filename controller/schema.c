#include "controller/schema.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>

#include "libflynn/attr.h"
#include "libflynn/err.h"
#include "libflynn/log.h"
#include "libflynn/pg.h"
#include "libflynn/retry.h"
#include "libflynn/xmalloc.h"

/* Any number that no other program of this database takes. */
#define LOCK "SELECT pg_advisory_xact_lock(732904817)"
#define RETRY_MIN_MS 100
#define RETRY_MAX_MS 2000

struct migration {
	int version;
	const char *sql; /* one statement */
};

/*
 * A version that has been released never changes: what comes later is a version of its own,
 * and the last statement of each writes it down.
 * json and not jsonb: what a client sent comes back in its order.
 */
static const struct migration migrations[] = {
	{ 1, "CREATE FUNCTION micros(t timestamptz) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT AS "
	     "$$ SELECT (extract(epoch FROM t) * 1000000)::bigint $$" },
	{ 1, "CREATE SEQUENCE name_ids" },
	{ 1, "CREATE TABLE artifacts ("
	     " artifact_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),"
	     " type text NOT NULL, uri text NOT NULL,"
	     " created_at timestamptz NOT NULL DEFAULT clock_timestamp(), deleted_at timestamptz)" },
	{ 1, "CREATE UNIQUE INDEX artifacts_type_uri ON artifacts (type, uri) WHERE deleted_at IS NULL" },
	{ 1, "CREATE TABLE releases ("
	     " release_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),"
	     " artifact_id uuid NOT NULL REFERENCES artifacts,"
	     " env json NOT NULL DEFAULT '{}', processes json NOT NULL DEFAULT '{}',"
	     " created_at timestamptz NOT NULL DEFAULT clock_timestamp(), deleted_at timestamptz)" },
	{ 1, "CREATE TABLE apps ("
	     " app_id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text NOT NULL,"
	     " release_id uuid REFERENCES releases, protected boolean NOT NULL DEFAULT false,"
	     " meta json NOT NULL DEFAULT '{}',"
	     " created_at timestamptz NOT NULL DEFAULT clock_timestamp(),"
	     " updated_at timestamptz NOT NULL DEFAULT clock_timestamp(), deleted_at timestamptz)" },
	{ 1, "CREATE UNIQUE INDEX apps_name ON apps (name) WHERE deleted_at IS NULL" },
	/* An app by its id, in either form, or its name. */
	{ 1, "CREATE FUNCTION find_app(ref text) RETURNS uuid LANGUAGE plpgsql STABLE STRICT AS $$ BEGIN"
	     " IF ref ~* '^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$' THEN"
	     "  RETURN (SELECT app_id FROM apps WHERE app_id = ref::uuid AND deleted_at IS NULL);"
	     " END IF;"
	     " RETURN (SELECT app_id FROM apps WHERE name = ref AND deleted_at IS NULL);"
	     " END $$" },
	{ 1, "CREATE TABLE formations ("
	     " app_id uuid NOT NULL REFERENCES apps, release_id uuid NOT NULL REFERENCES releases,"
	     " processes json,"
	     " created_at timestamptz NOT NULL DEFAULT clock_timestamp(),"
	     " updated_at timestamptz NOT NULL DEFAULT clock_timestamp(), deleted_at timestamptz,"
	     " PRIMARY KEY (app_id, release_id))" },
	{ 1, "CREATE INDEX formations_updated_at ON formations (updated_at)" },
	{ 1, "CREATE FUNCTION notify_formation() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
	     " PERFORM pg_notify('formations', NEW.app_id || ':' || NEW.release_id);"
	     " RETURN NULL; END $$" },
	{ 1, "CREATE TRIGGER notify_formation AFTER INSERT OR UPDATE ON formations"
	     " FOR EACH ROW EXECUTE FUNCTION notify_formation()" },
	{ 1, "CREATE TABLE keys ("
	     " fingerprint text NOT NULL, key text NOT NULL, comment text NOT NULL,"
	     " created_at timestamptz NOT NULL DEFAULT clock_timestamp(), deleted_at timestamptz)" },
	{ 1, "CREATE UNIQUE INDEX keys_fingerprint ON keys (fingerprint) WHERE deleted_at IS NULL" },
	{ 1, "CREATE TABLE providers ("
	     " provider_id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text NOT NULL, url text NOT NULL,"
	     " created_at timestamptz NOT NULL DEFAULT clock_timestamp(),"
	     " updated_at timestamptz NOT NULL DEFAULT clock_timestamp(), deleted_at timestamptz)" },
	{ 1, "CREATE UNIQUE INDEX providers_name ON providers (name) WHERE deleted_at IS NULL" },
	{ 1, "CREATE UNIQUE INDEX providers_url ON providers (url) WHERE deleted_at IS NULL" },
	{ 1, "CREATE FUNCTION find_provider(ref text) RETURNS uuid LANGUAGE plpgsql STABLE STRICT AS $$ BEGIN"
	     " IF ref ~* '^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$' THEN"
	     "  RETURN (SELECT provider_id FROM providers WHERE provider_id = ref::uuid AND deleted_at IS NULL);"
	     " END IF;"
	     " RETURN (SELECT provider_id FROM providers WHERE name = ref AND deleted_at IS NULL);"
	     " END $$" },
	{ 1, "CREATE TABLE resources ("
	     " resource_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),"
	     " provider_id uuid NOT NULL REFERENCES providers, external_id text NOT NULL,"
	     " env json NOT NULL DEFAULT '{}',"
	     " created_at timestamptz NOT NULL DEFAULT clock_timestamp(), deleted_at timestamptz)" },
	{ 1, "CREATE UNIQUE INDEX resources_external_id ON resources (provider_id, external_id) WHERE deleted_at IS NULL" },
	{ 1, "CREATE TABLE app_resources ("
	     " app_id uuid NOT NULL REFERENCES apps, resource_id uuid NOT NULL REFERENCES resources,"
	     " created_at timestamptz NOT NULL DEFAULT clock_timestamp(), deleted_at timestamptz,"
	     " PRIMARY KEY (app_id, resource_id))" },
	{ 1, "CREATE TABLE jobs ("
	     " job_id text PRIMARY KEY, host_id text NOT NULL,"
	     " app_id uuid NOT NULL REFERENCES apps, release_id uuid NOT NULL REFERENCES releases,"
	     " type text NOT NULL, state text NOT NULL, cmd json NOT NULL DEFAULT '[]',"
	     " exit_status integer, host_error text, restarts integer, run_at timestamptz,"
	     " created_at timestamptz NOT NULL DEFAULT clock_timestamp(),"
	     " updated_at timestamptz NOT NULL DEFAULT clock_timestamp())" },
	{ 1, "CREATE INDEX jobs_app ON jobs (app_id, created_at DESC)" },
	{ 1, "CREATE INDEX jobs_live ON jobs (host_id) WHERE state IN ('starting', 'up', 'stopping')" },
	{ 1, "CREATE TABLE job_events ("
	     " event_id bigserial PRIMARY KEY, job_id text NOT NULL,"
	     " app_id uuid NOT NULL REFERENCES apps, release_id uuid NOT NULL REFERENCES releases,"
	     " type text NOT NULL, state text NOT NULL, exit_status integer, host_error text,"
	     " created_at timestamptz NOT NULL DEFAULT clock_timestamp())" },
	{ 1, "CREATE INDEX job_events_app ON job_events (app_id, event_id)" },
	{ 1, "CREATE FUNCTION notify_job_event() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
	     " PERFORM pg_notify('job_events', NEW.app_id::text);"
	     " RETURN NULL; END $$" },
	{ 1, "CREATE TRIGGER notify_job_event AFTER INSERT ON job_events"
	     " FOR EACH ROW EXECUTE FUNCTION notify_job_event()" },
	{ 1, "INSERT INTO schema_migrations (id) VALUES (1)" },
};

/* What every migration starts with. */
static const char *const preamble[] = {
	LOCK,
	"CREATE TABLE IF NOT EXISTS schema_migrations (id bigint PRIMARY KEY)",
	"SELECT coalesce(max(id), 0) FROM schema_migrations",
};

struct schema {
	struct fl_pg *pg;
	struct fl_pg_tx *tx;
	struct fl_retry retry;
	struct event *done; /* frees the pool outside its own callbacks */
	size_t n_preamble;  /* statements of it that are done */
	long long version;  /* of the database when we came */
	size_t at;	    /* in migrations */
	struct fl_err err;
	bool ready;
	void (*on_ready)(void *arg);
	void *arg;
};

static void schema_go_on(struct schema *s);

static void
on_ended(const struct fl_err *err, void *arg)
{
	struct schema *s = arg;

	if (s->err.kind == FL_ERR_NONE && err != NULL)
		s->err = *err;
	if (s->err.kind != FL_ERR_NONE) {
		fl_log_warn("cannot make the schema yet", fl_str("err", s->err.msg));
		fl_retry_wait(&s->retry);
		return;
	}
	event_active(s->done, EV_TIMEOUT, 1);
}

static void
on_done(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct schema *s = arg;

	fl_pg_free(s->pg);
	s->pg = NULL;
	s->ready = true;
	fl_log_info("schema is ready", fl_int("from_version", s->version),
	    fl_int("version", migrations[fl_nitems(migrations) - 1].version));
	s->on_ready(s->arg);
}

static void
on_statement(const PGresult *res, const struct fl_err *err, void *arg)
{
	struct schema *s = arg;

	if (err != NULL) {
		s->err = *err;
		fl_pg_tx_end(s->tx, 0, on_ended, s);
		return;
	}
	if (s->n_preamble < fl_nitems(preamble) && ++s->n_preamble == fl_nitems(preamble))
		s->version = fl_pg_int(res, 0, 0, 0);
	schema_go_on(s);
}

static void
schema_go_on(struct schema *s)
{
	if (s->n_preamble < fl_nitems(preamble)) {
		fl_pg_tx_query(s->tx, preamble[s->n_preamble], NULL, 0, on_statement, s);
		return;
	}
	while (s->at < fl_nitems(migrations) && migrations[s->at].version <= s->version)
		s->at++;
	if (s->at == fl_nitems(migrations)) {
		fl_pg_tx_end(s->tx, 1, on_ended, s);
		return;
	}
	fl_pg_tx_query(s->tx, migrations[s->at++].sql, NULL, 0, on_statement, s);
}

static void
on_begun(struct fl_pg_tx *tx, const struct fl_err *err, void *arg)
{
	struct schema *s = arg;

	if (err != NULL) {
		fl_log_warn("cannot make the schema yet", fl_str("err", err->msg));
		fl_retry_wait(&s->retry);
		return;
	}
	s->tx = tx;
	s->n_preamble = s->at = 0;
	s->err = (struct fl_err){ 0 };
	schema_go_on(s);
}

static void
schema_try(void *arg)
{
	struct schema *s = arg;

	fl_pg_begin(s->pg, on_begun, s);
}

struct schema *
schema_start(struct event_base *base, char *(*conninfo)(void *arg), void (*on_ready)(void *arg), void *arg)
{
	struct fl_pg_opts opts = { .conninfo = conninfo, .arg = arg, .max_conns = 1 };
	struct schema *s = fl_xcalloc(1, sizeof(*s));

	s->on_ready = on_ready;
	s->arg = arg;
	s->done = event_new(base, -1, 0, on_done, s);
	s->pg = fl_pg_new(base, &opts);
	fl_retry_init(&s->retry, base, RETRY_MIN_MS, RETRY_MAX_MS, schema_try, s);
	schema_try(s);
	return s;
}

bool
schema_is_ready(const struct schema *s)
{
	return s != NULL && s->ready;
}

void
schema_free(struct schema *s)
{
	if (s == NULL)
		return;
	fl_retry_release(&s->retry);
	event_free(s->done);
	fl_pg_free(s->pg);
	free(s);
}
