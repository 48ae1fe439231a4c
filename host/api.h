/*
 * api - the routes of flynn-host, port 1113.
 */
#ifndef HOST_API_H
#define HOST_API_H

struct fl_err;
struct host;

/* Make the server and listen. The cluster key must be known. */
int api_listen(struct host *h, struct fl_err *err);

#endif
