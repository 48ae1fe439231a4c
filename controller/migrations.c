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

	/* Version 2: what clients of the final version say of releases, which releases an app had, and events of all objects. */
	{ 2, "ALTER TABLE releases ADD COLUMN app_id uuid REFERENCES apps, ADD COLUMN meta json NOT NULL DEFAULT '{}',"
	     " ADD COLUMN artifacts json NOT NULL DEFAULT '[]'" },
	{ 2, "CREATE INDEX releases_app ON releases (app_id, created_at DESC) WHERE app_id IS NOT NULL" },
	{ 2, "CREATE FUNCTION check_artifacts() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
	     " IF EXISTS (SELECT FROM json_array_elements_text(NEW.artifacts) AS named(ref)"
	     "  WHERE NOT EXISTS (SELECT FROM artifacts WHERE artifact_id = ref::uuid)) THEN"
	     "  RAISE foreign_key_violation;"
	     " END IF;"
	     " RETURN NEW; END $$" },
	{ 2, "CREATE TRIGGER check_artifacts BEFORE INSERT ON releases"
	     " FOR EACH ROW WHEN (NEW.artifacts::text <> '[]') EXECUTE FUNCTION check_artifacts()" },
	{ 2, "CREATE TABLE app_releases ("
	     " app_id uuid NOT NULL REFERENCES apps, release_id uuid NOT NULL REFERENCES releases,"
	     " created_at timestamptz NOT NULL DEFAULT clock_timestamp(),"
	     " PRIMARY KEY (app_id, release_id))" },
	{ 2, "INSERT INTO app_releases (app_id, release_id, created_at)"
	     " SELECT app_id, release_id, created_at FROM formations"
	     " UNION SELECT app_id, release_id, updated_at FROM apps WHERE release_id IS NOT NULL"
	     " ON CONFLICT DO NOTHING" },
	/*
	 * An event is written with what it tells of, into an outbox; it gets its number when that is committed, from one at a
	 * time. So numbers grow in the order in which events can be seen, and whoever has seen one has missed none before it;
	 * and no change waits for another one's commit.
	 */
	{ 2, "CREATE TABLE events_outbox ("
	     " seq bigserial PRIMARY KEY, app_id uuid, object_type text NOT NULL, object_id text NOT NULL, data json,"
	     " created_at timestamptz NOT NULL DEFAULT clock_timestamp())" },
	{ 2, "CREATE TABLE events ("
	     " event_id bigserial PRIMARY KEY, app_id uuid, object_type text NOT NULL, object_id text NOT NULL, data json,"
	     " created_at timestamptz NOT NULL)" },
	{ 2, "CREATE INDEX events_app ON events (app_id, event_id)" },
	{ 2, "CREATE FUNCTION number_events() RETURNS void LANGUAGE plpgsql AS $$ BEGIN"
	     " PERFORM pg_advisory_xact_lock(732904818);"
	     " WITH told AS (DELETE FROM events_outbox RETURNING *)"
	     "  INSERT INTO events (app_id, object_type, object_id, data, created_at)"
	     "  SELECT app_id, object_type, object_id, data, created_at FROM told ORDER BY seq;"
	     " IF FOUND THEN PERFORM pg_notify('events', ''); END IF;"
	     " END $$" },
	{ 2, "CREATE FUNCTION tell(app uuid, type text, id text, what json) RETURNS void LANGUAGE plpgsql AS $$ BEGIN"
	     " INSERT INTO events_outbox (app_id, object_type, object_id, data) VALUES (app, type, id, what);"
	     " PERFORM pg_notify('events_outbox', '');"
	     " END $$" },
	/* Objects as the API writes them. */
	{ 2, "CREATE FUNCTION hex(id uuid) RETURNS text LANGUAGE sql IMMUTABLE STRICT AS $$ SELECT replace(id::text, '-', '') $$" },
	{ 2, "CREATE FUNCTION rfc3339(t timestamptz) RETURNS text LANGUAGE sql STABLE STRICT AS $$"
	     " SELECT rtrim(rtrim(to_char(t AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US'), '0'), '.') || 'Z' $$" },
	{ 2, "CREATE FUNCTION unless_empty(v json) RETURNS json LANGUAGE sql IMMUTABLE STRICT AS $$"
	     " SELECT CASE WHEN v::text IN ('{}', '[]', 'null') THEN NULL ELSE v END $$" },
	{ 2, "CREATE FUNCTION app_json(a apps) RETURNS json LANGUAGE sql STABLE STRICT AS $$"
	     " SELECT json_strip_nulls(json_build_object('id', hex(a.app_id), 'name', a.name, 'protected', a.protected,"
	     "  'meta', unless_empty(a.meta), 'created_at', rfc3339(a.created_at), 'updated_at', rfc3339(a.updated_at))) $$" },
	{ 2, "CREATE FUNCTION artifact_json(t artifacts) RETURNS json LANGUAGE sql STABLE STRICT AS $$"
	     " SELECT json_strip_nulls(json_build_object('id', hex(t.artifact_id), 'type', nullif(t.type, ''), 'uri', nullif(t.uri, ''),"
	     "  'created_at', rfc3339(t.created_at))) $$" },
	{ 2, "CREATE FUNCTION release_json(r releases) RETURNS json LANGUAGE sql STABLE STRICT AS $$"
	     " SELECT json_strip_nulls(json_build_object('id', hex(r.release_id), 'artifact', hex(r.artifact_id),"
	     "  'artifacts', unless_empty(r.artifacts), 'app_id', hex(r.app_id), 'env', unless_empty(r.env),"
	     "  'processes', unless_empty(r.processes), 'meta', unless_empty(r.meta), 'created_at', rfc3339(r.created_at))) $$" },
	{ 2, "CREATE FUNCTION job_json(j jobs) RETURNS json LANGUAGE sql STABLE STRICT AS $$"
	     " SELECT json_strip_nulls(json_build_object('id', j.job_id, 'uuid', substr(j.job_id, length(j.host_id) + 2),"
	     "  'host_id', j.host_id, 'app', hex(j.app_id), 'release', hex(j.release_id), 'type', nullif(j.type, ''),"
	     "  'state', j.state, 'args', unless_empty(j.cmd), 'exit_status', j.exit_status, 'host_error', j.host_error,"
	     "  'run_at', rfc3339(j.run_at), 'restarts', j.restarts, 'created_at', rfc3339(j.created_at),"
	     "  'updated_at', rfc3339(j.updated_at))) $$" },
	{ 2, "CREATE FUNCTION tell_app() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
	     " IF TG_OP = 'INSERT' THEN"
	     "  PERFORM tell(NEW.app_id, 'app', hex(NEW.app_id), app_json(NEW));"
	     " ELSIF NEW.deleted_at IS NOT NULL AND OLD.deleted_at IS NULL THEN"
	     "  PERFORM tell(NEW.app_id, 'app_deletion', hex(NEW.app_id), json_build_object('app_deletion', json_build_object("
	     "   'app', hex(NEW.app_id), 'deleted_routes', '[]'::json, 'deleted_resources', '[]'::json,"
	     "   'deleted_releases', '[]'::json), 'error', ''));"
	     " ELSIF NEW.release_id IS DISTINCT FROM OLD.release_id THEN"
	     "  PERFORM tell(NEW.app_id, 'app_release', hex(NEW.release_id), json_strip_nulls(json_build_object("
	     "   'prev_release', (SELECT release_json(r) FROM releases r WHERE r.release_id = OLD.release_id),"
	     "   'release', (SELECT release_json(r) FROM releases r WHERE r.release_id = NEW.release_id))));"
	     " ELSIF NEW.protected <> OLD.protected OR NEW.meta::text <> OLD.meta::text THEN"
	     "  PERFORM tell(NEW.app_id, 'app', hex(NEW.app_id), app_json(NEW));"
	     " END IF;"
	     " RETURN NULL; END $$" },
	{ 2, "CREATE TRIGGER tell_app AFTER INSERT OR UPDATE ON apps FOR EACH ROW EXECUTE FUNCTION tell_app()" },
	{ 2, "CREATE FUNCTION tell_artifact() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
	     " PERFORM tell(NULL, 'artifact', hex(NEW.artifact_id), artifact_json(NEW));"
	     " RETURN NULL; END $$" },
	{ 2, "CREATE TRIGGER tell_artifact AFTER INSERT ON artifacts FOR EACH ROW EXECUTE FUNCTION tell_artifact()" },
	{ 2, "CREATE FUNCTION tell_release() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
	     " PERFORM tell(NEW.app_id, 'release', hex(NEW.release_id), release_json(NEW));"
	     " RETURN NULL; END $$" },
	{ 2, "CREATE TRIGGER tell_release AFTER INSERT ON releases FOR EACH ROW EXECUTE FUNCTION tell_release()" },
	{ 2, "CREATE FUNCTION tell_scale() RETURNS trigger LANGUAGE plpgsql AS $$ DECLARE before json; BEGIN"
	     " IF TG_OP = 'UPDATE' THEN before = OLD.processes; END IF;"
	     " PERFORM tell(NEW.app_id, 'scale', hex(NEW.app_id) || ':' || hex(NEW.release_id), json_strip_nulls(json_build_object("
	     "  'prev_processes', unless_empty(before), 'processes', coalesce(NEW.processes, '{}'), 'release', hex(NEW.release_id))));"
	     " RETURN NULL; END $$" },
	{ 2, "CREATE TRIGGER tell_scale AFTER INSERT OR UPDATE ON formations FOR EACH ROW EXECUTE FUNCTION tell_scale()" },
	{ 2, "CREATE FUNCTION tell_job() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
	     " PERFORM tell(j.app_id, 'job', j.job_id, job_json(j)) FROM jobs j WHERE j.job_id = NEW.job_id;"
	     " RETURN NULL; END $$" },
	{ 2, "CREATE TRIGGER tell_job AFTER INSERT ON job_events FOR EACH ROW EXECUTE FUNCTION tell_job()" },
	{ 2, "CREATE FUNCTION tell_key() RETURNS trigger LANGUAGE plpgsql AS $$ DECLARE type text := 'key'; BEGIN"
	     " IF TG_OP = 'UPDATE' THEN"
	     "  IF NEW.deleted_at IS NULL THEN RETURN NULL; END IF;"
	     "  type = 'key_deletion';"
	     " END IF;"
	     " PERFORM tell(NULL, type, NEW.fingerprint, json_strip_nulls(json_build_object('fingerprint', NEW.fingerprint,"
	     "  'key', NEW.key, 'comment', nullif(NEW.comment, ''), 'created_at', rfc3339(NEW.created_at))));"
	     " RETURN NULL; END $$" },
	{ 2, "CREATE TRIGGER tell_key AFTER INSERT OR UPDATE ON keys FOR EACH ROW EXECUTE FUNCTION tell_key()" },
	{ 2, "CREATE FUNCTION tell_provider() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
	     " PERFORM tell(NULL, 'provider', hex(NEW.provider_id), json_build_object('id', hex(NEW.provider_id), 'url', NEW.url,"
	     "  'name', NEW.name, 'created_at', rfc3339(NEW.created_at), 'updated_at', rfc3339(NEW.updated_at)));"
	     " RETURN NULL; END $$" },
	{ 2, "CREATE TRIGGER tell_provider AFTER INSERT ON providers FOR EACH ROW EXECUTE FUNCTION tell_provider()" },
	/* At the commit, when its apps are known: to each of them, or to nobody in particular. */
	{ 2, "CREATE FUNCTION tell_resource() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
	     " PERFORM tell(l.app_id, 'resource', hex(NEW.resource_id), json_strip_nulls(json_build_object("
	     "  'id', hex(NEW.resource_id), 'provider_id', hex(NEW.provider_id), 'provider', hex(NEW.provider_id),"
	     "  'external_id', NEW.external_id, 'env', unless_empty(NEW.env),"
	     "  'apps', (SELECT json_agg(hex(app_id)) FROM app_resources WHERE resource_id = NEW.resource_id),"
	     "  'created_at', rfc3339(NEW.created_at))))"
	     " FROM (SELECT) AS one LEFT JOIN app_resources l ON l.resource_id = NEW.resource_id;"
	     " RETURN NULL; END $$" },
	{ 2, "CREATE CONSTRAINT TRIGGER tell_resource AFTER INSERT ON resources DEFERRABLE INITIALLY DEFERRED"
	     " FOR EACH ROW EXECUTE FUNCTION tell_resource()" },
	{ 2, "INSERT INTO schema_migrations (id) VALUES (2)" },

	/* Version 3: deployments, and numbers for the releases that an app has had. */
	{ 3, "CREATE TABLE deployments ("
	     " deployment_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),"
	     " app_id uuid NOT NULL REFERENCES apps,"
	     " old_release_id uuid REFERENCES releases, new_release_id uuid NOT NULL REFERENCES releases,"
	     " strategy text NOT NULL, timeout_s integer NOT NULL, status text NOT NULL DEFAULT 'pending', error text,"
	     /* What ran when it began, and what is to run when it is done. */
	     " old_processes json, processes json,"
	     " owner uuid, lease_until timestamptz, begun_at timestamptz, step_at timestamptz,"
	     " created_at timestamptz NOT NULL DEFAULT clock_timestamp(), finished_at timestamptz)" },
	{ 3, "CREATE INDEX deployments_app ON deployments (app_id, created_at DESC)" },
	{ 3, "CREATE INDEX deployments_open ON deployments (app_id, created_at) WHERE finished_at IS NULL" },
	{ 3, "CREATE FUNCTION tell_deployment() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
	     " PERFORM pg_notify('deployments', NEW.deployment_id::text);"
	     " PERFORM tell(NEW.app_id, 'deployment', hex(NEW.deployment_id), json_strip_nulls(json_build_object("
	     "  'app', hex(NEW.app_id), 'deployment', hex(NEW.deployment_id), 'release', hex(NEW.new_release_id),"
	     "  'status', NEW.status, 'error', NEW.error)));"
	     " RETURN NULL; END $$" },
	{ 3, "CREATE TRIGGER tell_new_deployment AFTER INSERT ON deployments"
	     " FOR EACH ROW EXECUTE FUNCTION tell_deployment()" },
	{ 3, "CREATE TRIGGER tell_deployment AFTER UPDATE ON deployments"
	     " FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION tell_deployment()" },
	{ 3, "ALTER TABLE app_releases ADD COLUMN version integer" },
	{ 3, "UPDATE app_releases l SET version = n.version FROM (SELECT app_id, release_id,"
	     "  row_number() OVER (PARTITION BY app_id ORDER BY created_at, release_id) AS version FROM app_releases) n"
	     " WHERE n.app_id = l.app_id AND n.release_id = l.release_id" },
	{ 3, "ALTER TABLE app_releases ALTER COLUMN version SET NOT NULL, ADD UNIQUE (app_id, version)" },
	{ 3, "CREATE FUNCTION number_release() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
	     " INSERT INTO app_releases (app_id, release_id, version)"
	     "  SELECT NEW.app_id, NEW.release_id, coalesce(max(version), 0) + 1 FROM app_releases WHERE app_id = NEW.app_id"
	     "  ON CONFLICT (app_id, release_id) DO NOTHING;"
	     " RETURN NULL; END $$" },
	{ 3, "CREATE TRIGGER number_release AFTER UPDATE ON apps"
	     " FOR EACH ROW WHEN (NEW.release_id IS NOT NULL AND OLD.release_id IS DISTINCT FROM NEW.release_id)"
	     " EXECUTE FUNCTION number_release()" },
	{ 3, "INSERT INTO schema_migrations (id) VALUES (3)" },

	/* Version 4: scale requests, which are complete when the jobs are as they ask, and ends of resources as events. */
	{ 4, "CREATE TABLE scale_requests ("
	     " scale_request_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),"
	     " app_id uuid NOT NULL REFERENCES apps, release_id uuid NOT NULL REFERENCES releases,"
	     " state text NOT NULL DEFAULT 'pending', old_processes json, new_processes json NOT NULL,"
	     " created_at timestamptz NOT NULL DEFAULT clock_timestamp(),"
	     " updated_at timestamptz NOT NULL DEFAULT clock_timestamp())" },
	{ 4, "CREATE INDEX scale_requests_pending ON scale_requests (app_id, release_id) WHERE state = 'pending'" },
	{ 4, "CREATE FUNCTION tell_scale_request() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
	     " PERFORM tell(NEW.app_id, 'scale_request', hex(NEW.scale_request_id), json_strip_nulls(json_build_object("
	     "  'id', hex(NEW.scale_request_id), 'app', hex(NEW.app_id), 'release', hex(NEW.release_id), 'state', NEW.state,"
	     "  'old_processes', NEW.old_processes, 'new_processes', NEW.new_processes,"
	     "  'created_at', rfc3339(NEW.created_at), 'updated_at', rfc3339(NEW.updated_at))));"
	     " RETURN NULL; END $$" },
	{ 4, "CREATE TRIGGER tell_scale_request AFTER INSERT OR UPDATE ON scale_requests"
	     " FOR EACH ROW EXECUTE FUNCTION tell_scale_request()" },
	{ 4, "CREATE FUNCTION counts(processes json) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$"
	     " SELECT coalesce(jsonb_object_agg(p.key, p.value::integer), '{}') FROM json_each_text(coalesce(processes, '{}')) p"
	     " WHERE p.value <> '0' $$" },
	/* An omni type has as many jobs as there are hosts, for each that is asked for. */
	{ 4, "CREATE FUNCTION settle_scale_requests(app uuid, release uuid) RETURNS void LANGUAGE sql AS $$"
	     " UPDATE scale_requests s SET state = 'complete', updated_at = clock_timestamp()"
	     " WHERE s.app_id = app AND s.release_id = release AND s.state = 'pending'"
	     "  AND NOT EXISTS (SELECT FROM jobs j WHERE j.app_id = app AND j.release_id = release AND j.type <> ''"
	     "   AND j.state IN ('pending', 'blocked', 'starting', 'stopping'))"
	     "  AND NOT EXISTS (SELECT FROM"
	     "   (SELECT p.key AS type, p.value::integer AS n FROM jsonb_each_text(counts(s.new_processes)) p) wanted"
	     "   FULL JOIN (SELECT j.type, count(*) AS n FROM jobs j WHERE j.app_id = app AND j.release_id = release"
	     "    AND j.type <> '' AND j.state = 'up' GROUP BY j.type) have USING (type)"
	     "   WHERE coalesce(wanted.n, 0) <> coalesce(have.n, 0) AND (coalesce(have.n, 0) < coalesce(wanted.n, 0)"
	     "    OR wanted.n IS NULL OR NOT coalesce((SELECT (r.processes -> type ->> 'omni')::boolean FROM releases r"
	     "     WHERE r.release_id = release), false))) $$" },
	/* Behind tell_job: triggers run in the order of their names. */
	{ 4, "CREATE FUNCTION tell_job_to_scale_requests() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
	     " PERFORM settle_scale_requests(NEW.app_id, NEW.release_id);"
	     " RETURN NULL; END $$" },
	{ 4, "CREATE TRIGGER tell_job_to_scale_requests AFTER INSERT ON job_events"
	     " FOR EACH ROW EXECUTE FUNCTION tell_job_to_scale_requests()" },
	{ 4, "CREATE FUNCTION cancel_scale_requests() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
	     " UPDATE scale_requests SET state = 'cancelled', updated_at = clock_timestamp()"
	     "  WHERE app_id = NEW.app_id AND release_id = NEW.release_id AND state = 'pending'"
	     "   AND (NEW.deleted_at IS NOT NULL OR counts(new_processes) <> counts(NEW.processes));"
	     " RETURN NULL; END $$" },
	{ 4, "CREATE TRIGGER cancel_scale_requests AFTER UPDATE ON formations"
	     " FOR EACH ROW EXECUTE FUNCTION cancel_scale_requests()" },
	{ 4, "CREATE FUNCTION tell_resource_deletion() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
	     " PERFORM tell(l.app_id, 'resource_deletion', hex(NEW.resource_id), json_build_object("
	     "  'id', hex(NEW.resource_id), 'provider_id', hex(NEW.provider_id), 'provider', hex(NEW.provider_id),"
	     "  'external_id', NEW.external_id))"
	     " FROM (SELECT) AS one LEFT JOIN app_resources l ON l.resource_id = NEW.resource_id AND l.deleted_at IS NULL;"
	     " RETURN NULL; END $$" },
	{ 4, "CREATE TRIGGER tell_resource_deletion AFTER UPDATE ON resources"
	     " FOR EACH ROW WHEN (NEW.deleted_at IS NOT NULL AND OLD.deleted_at IS NULL)"
	     " EXECUTE FUNCTION tell_resource_deletion()" },
	{ 4, "INSERT INTO schema_migrations (id) VALUES (4)" },

	/* Version 5: answers to requests that name a key, so that those which are sent again are not carried out again. */
	{ 5, "CREATE TABLE answered (key text PRIMARY KEY, request text NOT NULL, answer text,"
	     " created_at timestamptz NOT NULL DEFAULT clock_timestamp())" },
	{ 5, "INSERT INTO schema_migrations (id) VALUES (5)" },

	/*
	 * Version 6: where an app's volumes are, and what is not needed any more. A row of garbage is something outside this
	 * database that is to go, once it is due and if nothing needs it by then.
	 */
	{ 6, "CREATE TABLE volumes ("
	     " volume_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),"
	     " app_id uuid NOT NULL REFERENCES apps, type text NOT NULL, path text NOT NULL, name text, host_id text NOT NULL,"
	     " created_at timestamptz NOT NULL DEFAULT clock_timestamp(), deleted_at timestamptz)" },
	{ 6, "CREATE UNIQUE INDEX volumes_place ON volumes (app_id, type, path, host_id) WHERE deleted_at IS NULL" },
	{ 6, "CREATE FUNCTION release_volumes(processes json, type text) RETURNS TABLE (path text, name text) LANGUAGE sql IMMUTABLE AS $$"
	     " SELECT '/data', NULL WHERE processes -> type ->> 'data' = 'true'"
	     " UNION ALL SELECT coalesce(v ->> 'path', '/data'), v ->> 'name'"
	     "  FROM json_array_elements(CASE json_typeof(processes -> type -> 'volumes') WHEN 'array'"
	     "   THEN processes -> type -> 'volumes' ELSE '[]' END) v $$" },
	/* A job's first record says on which host its volumes are from now on; schedulers are told. */
	{ 6, "CREATE FUNCTION note_volumes() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
	     " INSERT INTO volumes (app_id, type, path, name, host_id)"
	     "  SELECT NEW.app_id, NEW.type, v.path, v.name, NEW.host_id"
	     "  FROM releases r, release_volumes(r.processes, NEW.type) v WHERE r.release_id = NEW.release_id"
	     "  ON CONFLICT DO NOTHING;"
	     " IF FOUND THEN"
	     "  PERFORM pg_notify('formations', app_id || ':' || release_id) FROM formations"
	     "   WHERE app_id = NEW.app_id AND deleted_at IS NULL;"
	     " END IF;"
	     " RETURN NULL; END $$" },
	{ 6, "CREATE TRIGGER note_volumes AFTER INSERT ON jobs"
	     " FOR EACH ROW WHEN (NEW.type <> '' AND NEW.state IN ('starting', 'up')) EXECUTE FUNCTION note_volumes()" },
	{ 6, "ALTER TABLE releases ADD COLUMN slug text GENERATED ALWAYS AS"
	     " (substring(env ->> 'SLUG_URL' from '^http://shelf[.]discoverd(?::[0-9]+)?(/slugs/[^?]+)')) STORED" },
	{ 6, "CREATE INDEX releases_slug ON releases (slug) WHERE slug IS NOT NULL AND deleted_at IS NULL" },
	{ 6, "CREATE INDEX app_releases_release ON app_releases (release_id)" },
	{ 6, "CREATE TABLE garbage ("
	     " kind text NOT NULL, ref text NOT NULL, due_at timestamptz NOT NULL DEFAULT clock_timestamp(), PRIMARY KEY (kind, ref))" },
	{ 6, "CREATE FUNCTION dispose(what text, of text, due timestamptz) RETURNS void LANGUAGE sql AS $$"
	     " INSERT INTO garbage (kind, ref, due_at) VALUES (what, of, due)"
	     " ON CONFLICT (kind, ref) DO UPDATE SET due_at = least(garbage.due_at, excluded.due_at) $$" },
	/* Those that the app had, but for the last ones; those that were never more than tried; all of an app that is gone
	 * for good. */
	{ 6, "CREATE FUNCTION spare_releases(app uuid, keep integer) RETURNS SETOF uuid LANGUAGE sql STABLE AS $$"
	     " SELECT r.release_id FROM releases r WHERE r.deleted_at IS NULL AND r.release_id IN ("
	     "   SELECT had.release_id FROM (SELECT l.release_id, a.deleted_at < now() - interval '1 hour' AS app_is_gone,"
	     "     row_number() OVER (ORDER BY l.version DESC) AS n FROM app_releases l JOIN apps a USING (app_id)"
	     "     JOIN releases k ON k.release_id = l.release_id AND k.deleted_at IS NULL"
	     "     WHERE l.app_id = app AND l.release_id IS DISTINCT FROM CASE WHEN a.deleted_at IS NULL THEN a.release_id END) had"
	     "    WHERE had.n > keep OR had.app_is_gone"
	     "   UNION SELECT d.new_release_id FROM deployments d WHERE d.app_id = app AND d.finished_at < now() - interval '1 day'"
	     "    AND NOT EXISTS (SELECT FROM app_releases l WHERE l.release_id = d.new_release_id)"
	     "   UNION SELECT m.release_id FROM releases m WHERE m.app_id = app AND m.created_at < now() - interval '1 day'"
	     "    AND NOT EXISTS (SELECT FROM app_releases l WHERE l.release_id = m.release_id))"
	     "  AND NOT EXISTS (SELECT FROM app_releases l JOIN apps a USING (app_id)"
	     "   WHERE l.release_id = r.release_id AND l.app_id <> app AND a.deleted_at IS NULL)"
	     "  AND NOT EXISTS (SELECT FROM apps a WHERE a.release_id = r.release_id AND a.deleted_at IS NULL)"
	     "  AND NOT EXISTS (SELECT FROM formations f WHERE f.release_id = r.release_id AND f.deleted_at IS NULL)"
	     "  AND NOT EXISTS (SELECT FROM jobs j WHERE j.release_id = r.release_id"
	     "   AND j.state IN ('pending', 'blocked', 'starting', 'up', 'stopping'))"
	     "  AND NOT EXISTS (SELECT FROM deployments d WHERE d.finished_at IS NULL"
	     "   AND r.release_id IN (d.old_release_id, d.new_release_id)) $$" },
	/* Those that no app ever had. */
	{ 6, "CREATE FUNCTION stray_releases() RETURNS SETOF uuid LANGUAGE sql STABLE AS $$"
	     " SELECT r.release_id FROM releases r WHERE r.deleted_at IS NULL AND r.app_id IS NULL"
	     "  AND r.created_at < now() - interval '1 day'"
	     "  AND NOT EXISTS (SELECT FROM app_releases l WHERE l.release_id = r.release_id)"
	     "  AND NOT EXISTS (SELECT FROM deployments d WHERE r.release_id IN (d.old_release_id, d.new_release_id))"
	     "  AND NOT EXISTS (SELECT FROM formations f WHERE f.release_id = r.release_id AND f.deleted_at IS NULL)"
	     "  AND NOT EXISTS (SELECT FROM jobs j WHERE j.release_id = r.release_id"
	     "   AND j.state IN ('pending', 'blocked', 'starting', 'up', 'stopping')) $$" },
	/* What it may have been the last to need. */
	{ 6, "CREATE FUNCTION dispose_of_release() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
	     " IF OLD.slug IS NOT NULL THEN PERFORM dispose('blob', OLD.slug, clock_timestamp()); END IF;"
	     " PERFORM dispose('image', uri, clock_timestamp()) FROM artifacts WHERE artifact_id = OLD.artifact_id AND uri <> '';"
	     " PERFORM pg_notify('garbage', '');"
	     " RETURN NULL; END $$" },
	{ 6, "CREATE TRIGGER dispose_of_release AFTER UPDATE ON releases"
	     " FOR EACH ROW WHEN (NEW.deleted_at IS NOT NULL AND OLD.deleted_at IS NULL) EXECUTE FUNCTION dispose_of_release()" },
	/* Their environments, which have secrets, go at once. */
	{ 6, "CREATE FUNCTION delete_releases(gone uuid[]) RETURNS void LANGUAGE sql AS $$"
	     " UPDATE releases SET deleted_at = clock_timestamp(), env = '{}', processes = '{}' WHERE release_id = ANY (gone) $$" },
	/* The app's own wish comes before the default; asked: tell of it even if there was nothing. */
	{ 6, "CREATE FUNCTION collect(app uuid, def integer, asked boolean) RETURNS void LANGUAGE plpgsql AS $$"
	     " DECLARE a apps; wish text; gone uuid[]; BEGIN"
	     " SELECT * INTO a FROM apps WHERE app_id = app FOR NO KEY UPDATE;"
	     " wish = a.meta ->> 'gc.max_inactive_slug_releases';"
	     " IF wish IS DISTINCT FROM 'false' OR a.deleted_at IS NOT NULL THEN"
	     "  gone = ARRAY (SELECT spare_releases(app, CASE WHEN wish ~ '^[0-9]{1,6}$' THEN wish::integer ELSE def END));"
	     "  PERFORM delete_releases(gone);"
	     " END IF;"
	     " IF asked OR cardinality(gone) > 0 THEN"
	     "  PERFORM tell(app, 'app_garbage_collection', hex(app), json_build_object('app_garbage_collection', json_build_object("
	     "   'app_id', hex(app), 'deleted_releases', (SELECT coalesce(json_agg(hex(id)), '[]') FROM unnest(gone) id)), 'error', ''));"
	     " END IF;"
	     " END $$" },
	{ 6, "CREATE FUNCTION tell_collector() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
	     " IF NEW.deleted_at IS NOT NULL THEN"
	     "  PERFORM dispose('blob', '/cache/' || hex(NEW.app_id) || '.tar.zst', clock_timestamp());"
	     "  PERFORM dispose('volume', volume_id::text, clock_timestamp()) FROM volumes"
	     "   WHERE app_id = NEW.app_id AND deleted_at IS NULL;"
	     " END IF;"
	     " PERFORM pg_notify('garbage', NEW.app_id::text);"
	     " RETURN NULL; END $$" },
	{ 6, "CREATE TRIGGER tell_collector AFTER UPDATE ON apps FOR EACH ROW"
	     " WHEN (NEW.release_id IS DISTINCT FROM OLD.release_id OR (NEW.deleted_at IS NOT NULL AND OLD.deleted_at IS NULL))"
	     " EXECUTE FUNCTION tell_collector()" },
	/* Whether something still needs it. */
	{ 6, "CREATE FUNCTION is_needed(kind text, ref text) RETURNS boolean LANGUAGE sql STABLE AS $$"
	     " SELECT CASE kind"
	     "  WHEN 'blob' THEN EXISTS (SELECT FROM releases r WHERE r.slug = ref AND r.deleted_at IS NULL)"
	     "  WHEN 'image' THEN EXISTS (SELECT FROM releases r JOIN artifacts t USING (artifact_id)"
	     "   WHERE t.uri = ref AND r.deleted_at IS NULL)"
	     "  ELSE false END $$" },
	{ 6, "INSERT INTO schema_migrations (id) VALUES (6)" },

	/* Version 7: the job of a deployment's release phase. */
	{ 7, "ALTER TABLE deployments ADD COLUMN release_job text" },
	{ 7, "CREATE FUNCTION notify_release_job() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
	     " PERFORM pg_notify('deployments', NEW.deployment_id::text);"
	     " RETURN NULL; END $$" },
	{ 7, "CREATE TRIGGER notify_release_job AFTER UPDATE ON deployments"
	     " FOR EACH ROW WHEN (OLD.release_job IS DISTINCT FROM NEW.release_job) EXECUTE FUNCTION notify_release_job()" },
	{ 7, "INSERT INTO schema_migrations (id) VALUES (7)" },

	/* Version 8: jobs that are to be replaced. One of the new ones that fails ends that for its type. */
	{ 8, "ALTER TABLE jobs ADD COLUMN replace boolean NOT NULL DEFAULT false" },
	{ 8, "CREATE INDEX jobs_replaced ON jobs (app_id, release_id) WHERE replace" },
	{ 8, "CREATE FUNCTION replaced_jobs(app uuid, release uuid) RETURNS json LANGUAGE sql STABLE AS $$"
	     " SELECT json_agg(job_id) FROM jobs WHERE app_id = app AND release_id = release AND replace"
	     "  AND state IN ('starting', 'up') $$" },
	{ 8, "CREATE FUNCTION give_up_replacing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
	     " IF EXISTS (SELECT FROM jobs WHERE job_id = NEW.job_id AND replace) THEN RETURN NULL; END IF;"
	     " UPDATE jobs SET replace = false WHERE app_id = NEW.app_id AND release_id = NEW.release_id AND type = NEW.type AND replace;"
	     " IF FOUND THEN PERFORM pg_notify('formations', NEW.app_id || ':' || NEW.release_id); END IF;"
	     " RETURN NULL; END $$" },
	{ 8, "CREATE TRIGGER give_up_replacing AFTER INSERT ON job_events"
	     " FOR EACH ROW WHEN (NEW.state IN ('crashed', 'failed')) EXECUTE FUNCTION give_up_replacing()" },
	{ 8, "INSERT INTO schema_migrations (id) VALUES (8)" },

	/* Version 9: an image is needed under whatever name a release has it; nobody records how jobs of a deleted app end. */
	{ 9, "CREATE FUNCTION image_id(uri text) RETURNS text LANGUAGE sql IMMUTABLE STRICT AS $$"
	     " SELECT coalesce(substring(uri from '[?&]id=([^&]+)'), uri) $$" },
	{ 9, "CREATE OR REPLACE FUNCTION is_needed(kind text, ref text) RETURNS boolean LANGUAGE sql STABLE AS $$"
	     " SELECT CASE kind"
	     "  WHEN 'blob' THEN EXISTS (SELECT FROM releases r WHERE r.slug = ref AND r.deleted_at IS NULL)"
	     "  WHEN 'image' THEN EXISTS (SELECT FROM releases r JOIN artifacts t USING (artifact_id)"
	     "   WHERE image_id(t.uri) = image_id(ref) AND r.deleted_at IS NULL)"
	     "  ELSE false END $$" },
	{ 9, "CREATE OR REPLACE FUNCTION spare_releases(app uuid, keep integer) RETURNS SETOF uuid LANGUAGE sql STABLE AS $$"
	     " SELECT r.release_id FROM releases r WHERE r.deleted_at IS NULL AND r.release_id IN ("
	     "   SELECT had.release_id FROM (SELECT l.release_id, a.deleted_at < now() - interval '1 hour' AS app_is_gone,"
	     "     row_number() OVER (ORDER BY l.version DESC) AS n FROM app_releases l JOIN apps a USING (app_id)"
	     "     JOIN releases k ON k.release_id = l.release_id AND k.deleted_at IS NULL"
	     "     WHERE l.app_id = app AND l.release_id IS DISTINCT FROM CASE WHEN a.deleted_at IS NULL THEN a.release_id END) had"
	     "    WHERE had.n > keep OR had.app_is_gone"
	     "   UNION SELECT d.new_release_id FROM deployments d WHERE d.app_id = app AND d.finished_at < now() - interval '1 day'"
	     "    AND NOT EXISTS (SELECT FROM app_releases l WHERE l.release_id = d.new_release_id)"
	     "   UNION SELECT m.release_id FROM releases m WHERE m.app_id = app AND m.created_at < now() - interval '1 day'"
	     "    AND NOT EXISTS (SELECT FROM app_releases l WHERE l.release_id = m.release_id))"
	     "  AND NOT EXISTS (SELECT FROM app_releases l JOIN apps a USING (app_id)"
	     "   WHERE l.release_id = r.release_id AND l.app_id <> app AND a.deleted_at IS NULL)"
	     "  AND NOT EXISTS (SELECT FROM apps a WHERE a.release_id = r.release_id AND a.deleted_at IS NULL)"
	     "  AND NOT EXISTS (SELECT FROM formations f WHERE f.release_id = r.release_id AND f.deleted_at IS NULL)"
	     "  AND NOT EXISTS (SELECT FROM jobs j JOIN apps a USING (app_id) WHERE j.release_id = r.release_id AND a.deleted_at IS NULL"
	     "   AND j.state IN ('pending', 'blocked', 'starting', 'up', 'stopping'))"
	     "  AND NOT EXISTS (SELECT FROM deployments d WHERE d.finished_at IS NULL"
	     "   AND r.release_id IN (d.old_release_id, d.new_release_id)) $$" },
	{ 9, "INSERT INTO schema_migrations (id) VALUES (9)" },

	/* Version 10: how many jobs a deployment replaces at a time. */
	{ 10, "ALTER TABLE deployments ADD COLUMN batch_size integer" },
	{ 10, "INSERT INTO schema_migrations (id) VALUES (10)" },

	/* Version 11: a slug is needed wherever its URL says that shelf is; what cannot be removed is tried ever more seldom. */
	{ 11, "ALTER TABLE releases DROP COLUMN slug" },
	{ 11, "ALTER TABLE releases ADD COLUMN slug text GENERATED ALWAYS AS"
	      " (substring(env ->> 'SLUG_URL' from '^https?://[^/]+(/slugs/[^?#]+)')) STORED" },
	{ 11, "CREATE INDEX releases_slug ON releases (slug) WHERE slug IS NOT NULL AND deleted_at IS NULL" },
	{ 11, "ALTER TABLE garbage ADD COLUMN tries integer NOT NULL DEFAULT 0" },
	{ 11, "INSERT INTO schema_migrations (id) VALUES (11)" },

	/* Version 12: what a request that may come again is about to make outside of this database. */
	{ 12, "ALTER TABLE answered ADD COLUMN name text" },
	{ 12, "INSERT INTO schema_migrations (id) VALUES (12)" },

	/* Version 13: volumes that new jobs do not get any more. The next one at the same place has another number, and name. */
	{ 13, "ALTER TABLE volumes ADD COLUMN decommissioned_at timestamptz, ADD COLUMN number integer NOT NULL DEFAULT 0" },
	{ 13, "DROP INDEX volumes_place" },
	{ 13, "CREATE UNIQUE INDEX volumes_place ON volumes (app_id, type, path, host_id)"
	      " WHERE deleted_at IS NULL AND decommissioned_at IS NULL" },
	{ 13, "CREATE INDEX volumes_decommissioned ON volumes (app_id) WHERE decommissioned_at IS NOT NULL" },
	{ 13, "CREATE FUNCTION number_volume() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
	      " NEW.number := (SELECT count(*) FROM volumes v WHERE v.app_id = NEW.app_id AND v.type = NEW.type"
	      "  AND v.path = NEW.path AND v.host_id = NEW.host_id AND v.decommissioned_at IS NOT NULL);"
	      " RETURN NEW; END $$" },
	{ 13, "CREATE TRIGGER number_volume BEFORE INSERT ON volumes FOR EACH ROW EXECUTE FUNCTION number_volume()" },
	{ 13, "INSERT INTO schema_migrations (id) VALUES (13)" },

	/* Version 14: who follows events knows of no cancelling, and would wait on: to him it is a failure, with its reason. */
	{ 14, "CREATE OR REPLACE FUNCTION tell_deployment() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
	      " PERFORM pg_notify('deployments', NEW.deployment_id::text);"
	      " PERFORM tell(NEW.app_id, 'deployment', hex(NEW.deployment_id), json_strip_nulls(json_build_object("
	      "  'app', hex(NEW.app_id), 'deployment', hex(NEW.deployment_id), 'release', hex(NEW.new_release_id),"
	      "  'status', CASE NEW.status WHEN 'cancelled' THEN 'failed' ELSE NEW.status END, 'error', NEW.error)));"
	      " RETURN NULL; END $$" },
	{ 14, "INSERT INTO schema_migrations (id) VALUES (14)" },

	/* Version 15: what release a deployment's was made of; '': of none. */
	{ 15, "ALTER TABLE deployments ADD COLUMN base text" },
	{ 15, "INSERT INTO schema_migrations (id) VALUES (15)" },

	/* Version 16: what is new was changed when it was made, for which two defaults would read the clock twice. */
	{ 16, "CREATE FUNCTION changed_when_made() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
	      " NEW.updated_at := coalesce(NEW.updated_at, NEW.created_at);"
	      " RETURN NEW; END $$" },
	{ 16, "ALTER TABLE apps ALTER COLUMN updated_at DROP DEFAULT" },
	{ 16, "CREATE TRIGGER changed_when_made BEFORE INSERT ON apps FOR EACH ROW EXECUTE FUNCTION changed_when_made()" },
	{ 16, "ALTER TABLE formations ALTER COLUMN updated_at DROP DEFAULT" },
	{ 16, "CREATE TRIGGER changed_when_made BEFORE INSERT ON formations FOR EACH ROW EXECUTE FUNCTION changed_when_made()" },
	{ 16, "ALTER TABLE providers ALTER COLUMN updated_at DROP DEFAULT" },
	{ 16, "CREATE TRIGGER changed_when_made BEFORE INSERT ON providers FOR EACH ROW EXECUTE FUNCTION changed_when_made()" },
	{ 16, "ALTER TABLE jobs ALTER COLUMN updated_at DROP DEFAULT" },
	{ 16, "CREATE TRIGGER changed_when_made BEFORE INSERT ON jobs FOR EACH ROW EXECUTE FUNCTION changed_when_made()" },
	{ 16, "ALTER TABLE scale_requests ALTER COLUMN updated_at DROP DEFAULT" },
	{ 16, "CREATE TRIGGER changed_when_made BEFORE INSERT ON scale_requests FOR EACH ROW EXECUTE FUNCTION changed_when_made()" },
	{ 16, "INSERT INTO schema_migrations (id) VALUES (16)" },

	/*
	 * Version 17: volumes that are heard of when their app has been deleted. Their records are new ones, as those that were known
	 * may be removed this moment, before the job came and made the volume again.
	 */
	{ 17, "CREATE FUNCTION dispose_of_late_volumes(app uuid, release uuid, job_type text, host text) RETURNS void LANGUAGE plpgsql AS $$"
	      " DECLARE v record; id uuid; BEGIN"
	      " FOR v IN SELECT l.path, l.name FROM releases r, release_volumes(r.processes, job_type) l WHERE r.release_id = release LOOP"
	      "  UPDATE volumes SET deleted_at = clock_timestamp() WHERE app_id = app AND type = job_type AND path = v.path"
	      "   AND host_id = host AND deleted_at IS NULL AND decommissioned_at IS NULL;"
	      "  INSERT INTO volumes (app_id, type, path, name, host_id) VALUES (app, job_type, v.path, v.name, host) RETURNING volume_id INTO id;"
	      "  PERFORM dispose('volume', id::text, clock_timestamp());"
	      " END LOOP;"
	      " PERFORM pg_notify('garbage', '');"
	      " END $$" },
	{ 17, "INSERT INTO schema_migrations (id) VALUES (17)" },

	/* Version 18: a list of resources names the apps of each. */
	{ 18, "CREATE INDEX app_resources_resource ON app_resources (resource_id)" },
	{ 18, "INSERT INTO schema_migrations (id) VALUES (18)" },
};

const size_t n_migrations = fl_nitems(migrations);
