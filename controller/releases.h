/*
 * releases - the API's releases: an artifact, its environment and its process types, never changed.
 */
#ifndef CONTROLLER_RELEASES_H
#define CONTROLLER_RELEASES_H

#include <libpq-fe.h>

struct fl_http_req;
struct fl_jsonw;

#define RELEASE_COLUMNS(t)                                                                                \
	t ".release_id, " t ".artifact_id, " t ".env, " t ".processes, micros(" t ".created_at), " t ".app_id, " \
	t ".meta, " t ".artifacts"
#define RELEASE_N_COLUMNS 8

void releases_write_at(struct fl_jsonw *w, const char *key, const PGresult *res, int row, int col);

void releases_list(struct fl_http_req *req, void *arg);
void releases_create(struct fl_http_req *req, void *arg);
/* Those made for the app, and those that it had. */
void releases_of_app(struct fl_http_req *req, void *arg);
void releases_get(struct fl_http_req *req, void *arg);
/* Take it from the app, and away when no other app has it. 400: it is the app's, or has jobs. */
void releases_delete(struct fl_http_req *req, void *arg);

#endif
