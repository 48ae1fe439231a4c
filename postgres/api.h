/*
 * api - the appliance's HTTP API: POST /databases, DELETE /databases?id=.
 */
#ifndef POSTGRES_API_H
#define POSTGRES_API_H

struct fl_err;
struct postgres;

/* Listen on the API port; sets p->http. */
int api_listen(struct postgres *p, struct fl_err *err);

#endif
