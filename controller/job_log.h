/*
 * job_log - GET /apps/:app/jobs/:job/log: what a job wrote, and with ?tail= what it goes on to write.
 */
#ifndef CONTROLLER_JOB_LOG_H
#define CONTROLLER_JOB_LOG_H

struct controller;
struct fl_http_req;

/*
 * Frames (libflynn/frame.h), or with Accept: text/event-stream events {"stream","data"}, at the end of a tail "exit"
 * {"status"}, and "eof". ?wait= waits for a job that its host does not know yet.
 */
void job_log(struct fl_http_req *req, void *arg);
/* End all logs that are being sent. */
void job_log_free_all(struct controller *c);

#endif
