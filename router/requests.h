/*
 * requests - GET /requests: the last requests of all workers, and those to come, as people ask for them.
 *
 * Control thread only.
 */
#ifndef ROUTER_REQUESTS_H
#define ROUTER_REQUESTS_H

struct fl_http_req;
struct requests;
struct router;

/* Workers must have stopped before it is freed, and the HTTP server after it. */
struct requests *requests_new(struct router *r);
void requests_free(struct requests *q);

/* The route's handler; arg is the router. */
void requests_get(struct fl_http_req *req, void *arg);

#endif
