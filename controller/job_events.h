/*
 * job_events - GET /apps/:app/jobs as server-sent events: what became of an app's jobs, as it happens.
 */
#ifndef CONTROLLER_JOB_EVENTS_H
#define CONTROLLER_JOB_EVENTS_H

struct controller;
struct fl_http_req;
struct job_events;

struct job_events *job_events_new(struct controller *c);
/* Hear of changes, once the schema stands. */
void job_events_listen(struct job_events *je);
void job_events_free(struct job_events *je);

/*
 * Each event: its number as id, the job's state as event, the job as data. From now on; or after the Last-Event-Id
 * that the request names, when it is not 0; or the last ?count= ones first, of those after Last-Event-Id if both are given.
 */
void job_events_stream(struct fl_http_req *req, void *arg);

#endif
