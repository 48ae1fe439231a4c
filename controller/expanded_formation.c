#include "controller/expanded_formation.h"

#include "controller/formations.h"
#include "controller/row.h"
#include "libflynn/json.h"

void
expanded_formation_write(struct fl_jsonw *w, const char *key, const PGresult *res, int row)
{
	fl_jsonw_open(w, key, '{');
	apps_write_at(w, "app", res, row, 0);
	releases_write_at(w, "release", res, row, EXPANDED_RELEASE_COL);
	artifacts_write_at(w, "artifact", res, row, EXPANDED_ARTIFACT_COL);
	formations_write_counts(w, res, row, EXPANDED_PROCESSES_COL);
	row_time(w, "updated_at", res, row, EXPANDED_UPDATED_COL);
	row_json(w, "volumes", res, row, EXPANDED_VOLUMES_COL);
	row_json(w, "replace", res, row, EXPANDED_REPLACE_COL); /* for our scheduler: ids of jobs */
	row_json(w, "decommissioned", res, row, EXPANDED_DECOMMISSIONED_COL); /* and numbers of volumes */
	fl_jsonw_close(w, '}');
}
