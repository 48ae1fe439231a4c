/*
 * app_requests - the API's requests of an app: what all routers remember of its routes, or hear from now on.
 */
#ifndef CONTROLLER_APP_REQUESTS_H
#define CONTROLLER_APP_REQUESTS_H

struct controller;
struct fl_discoverd_service;
struct fl_http_req;

/*
 * GET /apps/:app/requests?host=&status=&slow=&limit=: the routers' own, put together, the newest first; or
 * followed as server-sent events, which begin with the last limit of each router.
 */
void app_requests(struct fl_http_req *req, void *arg);
/* The routers have changed (a watch of discoverd's); arg is the controller. */
void app_requests_routers_changed(struct fl_discoverd_service *routers, void *arg);
void app_requests_free_all(struct controller *c);

#endif
