/*
 * router_client - calls of the router's API, wherever the router is now.
 */
#ifndef CONTROLLER_ROUTER_CLIENT_H
#define CONTROLLER_ROUTER_CLIENT_H

/* What routers are found by. */
#define ROUTER_SERVICE "router-api"

struct controller;
struct fl_err;
struct fl_json;

/*
 * Once, from the loop: the answer's body, borrowed, JSON null when it was empty; or err, and then field names
 * what the router found wrong with the request, or is NULL.
 */
typedef void (*router_cb)(const struct fl_json *body, const char *field, const struct fl_err *err, void *arg);

/* path is copied; body is JSON text, copied, or NULL. */
void router_call(struct controller *c, const char *method, const char *path, const char *body, router_cb cb, void *arg);

#endif
