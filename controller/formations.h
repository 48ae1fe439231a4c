/*
 * formations - the API's formations: how many jobs of each process type an app runs of a release.
 */
#ifndef CONTROLLER_FORMATIONS_H
#define CONTROLLER_FORMATIONS_H

#include <libpq-fe.h>

#include "controller/deployments.h"
#include "controller/tx.h"

struct fl_http_req;
struct fl_jsonw;

/* Write the column of counts as member "processes", without zeros. */
void formations_write_counts(struct fl_jsonw *w, const PGresult *res, int row, int col);

/* Statement and check, behind DEPLOYMENTS_LOCK_APP, on tx's parameters 0 and 1, app and release, before its formation is changed. */
#define FORMATIONS_LOCK_APP                                                              \
	"SELECT a.app_id, a.protected, r.processes, " DEPLOYMENTS_IS_OPEN " FROM apps a" \
	" LEFT JOIN releases r ON r.release_id = $2 AND r.deleted_at IS NULL"           \
	" WHERE a.app_id = find_app($1) AND a.deleted_at IS NULL FOR NO KEY UPDATE OF a"
/* field: of the request, with the counts. Sets parameter 0 to the app's id. */
enum tx_next formations_may_put(struct tx *tx, const PGresult *res, const char *field);

/* GET /formations: their events; with ?active=true those that have jobs, as an array, expanded. */
void formations_list_all(struct fl_http_req *req, void *arg);
void formations_list(struct fl_http_req *req, void *arg);
void formations_put(struct fl_http_req *req, void *arg);
/* ?expand=true: with app, release and artifact. */
void formations_get(struct fl_http_req *req, void *arg);
void formations_delete(struct fl_http_req *req, void *arg);

#endif
