/*
 * rpc - CONNECT /_goRPC_: the stream of formations as schedulers of 2014 ask for it, by Go's net/rpc over a connection
 * that is handed over.
 *
 * A connection carries many calls at once. Controller.StreamFormations takes a time and is what GET /formations?since= is.
 */
#ifndef CONTROLLER_RPC_H
#define CONTROLLER_RPC_H

struct controller;
struct fl_http_req;

/* Any other method is answered 405. Accept says which codec: JSON's media type, else gob. */
void rpc_connect(struct fl_http_req *req, void *arg);
/* Close all connections; their queries may still be under way. */
void rpc_free_all(struct controller *c);

#endif
