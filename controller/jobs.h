/*
 * jobs - the API's jobs as the scheduler records them, and asking a host to stop one.
 */
#ifndef CONTROLLER_JOBS_H
#define CONTROLLER_JOBS_H

struct fl_http_req;

/* All that live and the last that ended; with Accept: text/event-stream their events. */
/* Of all apps, those that have not ended. */
void jobs_list_live(struct fl_http_req *req, void *arg);
void jobs_list(struct fl_http_req *req, void *arg);
void jobs_get(struct fl_http_req *req, void *arg);
/* The scheduler's: create or update a record; a change of state is an event. */
void jobs_put(struct fl_http_req *req, void *arg);
/* Stop it on its host. */
void jobs_delete(struct fl_http_req *req, void *arg);

#endif
