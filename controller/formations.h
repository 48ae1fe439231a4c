/*
 * formations - the API's formations: how many jobs of each process type an app runs of a release.
 */
#ifndef CONTROLLER_FORMATIONS_H
#define CONTROLLER_FORMATIONS_H

#include <libpq-fe.h>

struct fl_http_req;
struct fl_jsonw;

/* Write the column of counts as member "processes", without zeros. */
void formations_write_counts(struct fl_jsonw *w, const PGresult *res, int row, int col);

/* GET /formations: their events; with ?active=true those that have jobs, as an array, expanded. */
void formations_list_all(struct fl_http_req *req, void *arg);
void formations_list(struct fl_http_req *req, void *arg);
void formations_put(struct fl_http_req *req, void *arg);
/* ?expand=true: with app, release and artifact. */
void formations_get(struct fl_http_req *req, void *arg);
void formations_delete(struct fl_http_req *req, void *arg);

#endif
