/*
 * app_routes - the API's routes of an app: the router's routes whose parent is the app.
 */
#ifndef CONTROLLER_APP_ROUTES_H
#define CONTROLLER_APP_ROUTES_H

/* What the parent_ref of its routes begins with; the app's id follows. */
#define APP_ROUTES_PARENT "controller/apps/"

struct controller;
struct fl_err;
struct fl_http_req;

/* Both call back once, from the loop. */
void app_routes_add_default(struct controller *c, const char *app_id, const char *app_name,
    void (*cb)(const struct fl_err *err, void *arg), void *arg);
void app_routes_remove_all(struct controller *c, const char *app_id,
    void (*cb)(const struct fl_err *err, void *arg), void *arg);

void app_routes_list(struct fl_http_req *req, void *arg);
void app_routes_create(struct fl_http_req *req, void *arg);
void app_routes_get(struct fl_http_req *req, void *arg);
/* Replaces the settings that the body has, in either form; "" removes one. */
void app_routes_update(struct fl_http_req *req, void *arg);
void app_routes_delete(struct fl_http_req *req, void *arg);

#endif
