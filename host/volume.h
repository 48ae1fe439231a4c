/*
 * volume - named data that outlives jobs and releases: volumes of the engine, with our label on them.
 */
#ifndef HOST_VOLUME_H
#define HOST_VOLUME_H

#include "libflynn/http_client.h"

struct fl_http_req;
struct host;

/* Make it if it is not there; what is there stays as it is. */
struct fl_http_call *volume_create(struct host *h, const char *name, fl_http_client_cb cb, void *arg);
/* Answer with our volumes: [{"name","created_at"}]. */
void volume_reply_list(struct host *h, struct fl_http_req *req);
/* Remove one and answer; CONFLICT while a job uses it. */
void volume_reply_delete(struct host *h, struct fl_http_req *req, const char *name);
/* What the engine is to list: ours. URL-encoded; the caller frees. */
char *volume_filter(const struct host *h);

#endif
