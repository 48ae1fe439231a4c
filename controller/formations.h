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

void formations_list(struct fl_http_req *req, void *arg);
void formations_put(struct fl_http_req *req, void *arg);
void formations_get(struct fl_http_req *req, void *arg);
void formations_delete(struct fl_http_req *req, void *arg);

#endif
