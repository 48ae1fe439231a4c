/*
 * api - the HTTP API of routes: POST, PUT, GET, DELETE. TCP ports are allocated from the range of router_config.
 *
 * A change is answered once this router goes by it.
 */
#ifndef ROUTER_API_H
#define ROUTER_API_H

struct fl_err;
struct router;
struct router_api;

/* Listens on addr with r->http. */
struct router_api *router_api_new(struct router *r, const char *addr, struct fl_err *err);
void router_api_free(struct router_api *api);
/* Routes or instances have changed: answer who waited for it. */
void router_api_changed(struct router_api *api);

#endif
