/*
 * expanded_formation - a formation with its app, release and artifact: what schedulers follow and newer clients ask for.
 *
 * Where the app has volumes, it says so: "volumes":[{"type","path","host_id"}].
 */
#ifndef CONTROLLER_EXPANDED_FORMATION_H
#define CONTROLLER_EXPANDED_FORMATION_H

#include <libpq-fe.h>

#include "controller/apps.h"
#include "controller/artifacts.h"
#include "controller/releases.h"

struct fl_jsonw;

/* What expanded_formation_write() reads, of EXPANDED_TABLES. */
#define EXPANDED_COLUMNS                                                      \
	APP_COLUMNS("a") ", " RELEASE_COLUMNS("r") ", " ARTIFACT_COLUMNS("t") \
	", f.processes, micros(f.updated_at)"                                 \
	", (SELECT json_agg(json_build_object('type', v.type, 'path', v.path, 'host_id', v.host_id) ORDER BY v.created_at)" \
	"  FROM volumes v WHERE v.app_id = f.app_id AND v.deleted_at IS NULL AND v.decommissioned_at IS NULL)" \
	", replaced_jobs(f.app_id, f.release_id)"                             \
	", (SELECT json_agg(json_build_object('type', v.type, 'path', v.path, 'host_id', v.host_id, 'n', v.n)) FROM" \
	"  (SELECT type, path, host_id, count(*) AS n FROM volumes WHERE app_id = f.app_id AND decommissioned_at IS NOT NULL" \
	"   GROUP BY type, path, host_id) v)"
#define EXPANDED_TABLES                                                                          \
	"formations f JOIN apps a ON a.app_id = f.app_id JOIN releases r ON r.release_id = f.release_id" \
	" JOIN artifacts t ON t.artifact_id = r.artifact_id"

enum {
	EXPANDED_RELEASE_COL = APP_N_COLUMNS,
	EXPANDED_ARTIFACT_COL = EXPANDED_RELEASE_COL + RELEASE_N_COLUMNS,
	EXPANDED_PROCESSES_COL = EXPANDED_ARTIFACT_COL + ARTIFACT_N_COLUMNS,
	EXPANDED_UPDATED_COL,
	EXPANDED_VOLUMES_COL,
	EXPANDED_REPLACE_COL,
	EXPANDED_DECOMMISSIONED_COL,
};

void expanded_formation_write(struct fl_jsonw *w, const char *key, const PGresult *res, int row);

#endif
