/*
 * artifacts - the API's artifacts: the images that releases run.
 */
#ifndef CONTROLLER_ARTIFACTS_H
#define CONTROLLER_ARTIFACTS_H

#include <libpq-fe.h>

struct fl_http_req;
struct fl_jsonw;

#define ARTIFACT_COLUMNS(t) t ".artifact_id, " t ".type, " t ".uri, micros(" t ".created_at)"
#define ARTIFACT_N_COLUMNS 4

void artifacts_write_at(struct fl_jsonw *w, const char *key, const PGresult *res, int row, int col);

/* Makes an artifact of $1 its id or NULL, $2 its type and $3 its URI, or finds the one that is there; ARTIFACT_COLUMNS. */
extern const char artifacts_insert_sql[];

void artifacts_list(struct fl_http_req *req, void *arg);
/* The same type and URI twice is the same artifact. */
void artifacts_create(struct fl_http_req *req, void *arg);
void artifacts_get(struct fl_http_req *req, void *arg);

#endif
