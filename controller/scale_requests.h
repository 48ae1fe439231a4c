/*
 * scale_requests - PUT /apps/:app/scale/:release: change how many jobs an app has, and learn when they are so.
 */
#ifndef CONTROLLER_SCALE_REQUESTS_H
#define CONTROLLER_SCALE_REQUESTS_H

struct fl_http_req;

/*
 * {"new_processes"}: put the formation, and a request that is complete once the jobs are as it asks, or cancelled when the
 * formation is changed before that; each is an event. With {"id","state"}, the state not pending, end such a request.
 */
void scale_requests_put(struct fl_http_req *req, void *arg);

#endif
