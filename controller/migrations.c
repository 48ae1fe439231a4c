#include "controller/migrations.h"

#include "libflynn/attr.h"

/* json and not jsonb: what a client sent comes back in its order. */
const struct migration migrations[] = {
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

const size_t n_migrations = fl_nitems(migrations);
