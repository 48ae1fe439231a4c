/*
 * apps - the API's apps: made, listed, changed, deleted.
 */
#ifndef CONTROLLER_APPS_H
#define CONTROLLER_APPS_H

#include <libpq-fe.h>
#include <stdbool.h>

#include "libflynn/uuid.h"

struct controller;
struct fl_http_req;
struct fl_jsonw;

struct app {
	char id[FL_UUID_LEN + 1];
	const char *name; /* borrowed for the call */
	bool protected;
	bool is_system; /* a part of the platform itself */
};

/* What apps_write_at() reads, of the table or alias t. */
#define APP_COLUMNS(t) \
	t ".app_id, " t ".name, " t ".protected, " t ".meta, micros(" t ".created_at), micros(" t ".updated_at)"
#define APP_N_COLUMNS 6

/* Write the App whose columns start at col. */
void apps_write_at(struct fl_jsonw *w, const char *key, const PGresult *res, int row, int col);

/* Look up the request's :app. cb gets it, or NULL: then the request is answered already (404, 503). */
void apps_find(struct controller *c, struct fl_http_req *req, void (*cb)(const struct app *app, void *arg), void *arg);

void apps_list(struct fl_http_req *req, void *arg);
/* Without a name one is generated. A route of the default domain is made with it. */
void apps_create(struct fl_http_req *req, void *arg);
void apps_get(struct fl_http_req *req, void *arg);
void apps_update(struct fl_http_req *req, void *arg);
/* Its routes go first, so that no route is left which names nothing; then the app with its formations. */
void apps_delete(struct fl_http_req *req, void *arg);

#endif
