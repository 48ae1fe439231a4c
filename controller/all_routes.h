/*
 * all_routes - what the API tells of the router's routes as a whole: GET /routes, and the certificate of its own one.
 */
#ifndef CONTROLLER_ALL_ROUTES_H
#define CONTROLLER_ALL_ROUTES_H

struct fl_http_req;

void all_routes_list(struct fl_http_req *req, void *arg);
/* GET /ca-cert: the PEM certificate that clients reach the API with, for them to trust; 404 while it has none. */
void all_routes_ca_cert(struct fl_http_req *req, void *arg);

#endif
