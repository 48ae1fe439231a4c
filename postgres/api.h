/*
 * api - the appliance's HTTP API: POST /databases, DELETE /databases?id=.
 */
#ifndef API_H
#define API_H

struct fl_err;
struct postgres;

/* Listen on the API port; sets p->http. */
int api_listen(struct postgres *p, struct fl_err *err);

#endif
