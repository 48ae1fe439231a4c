/*
 * job_run - POST /apps/:app/jobs: one-off jobs, detached or attached to the request's connection.
 */
#ifndef CONTROLLER_JOB_RUN_H
#define CONTROLLER_JOB_RUN_H

struct controller;
struct fl_http_req;

/*
 * Attached when the request accepts application/vnd.flynn.attach or upgrades to flynn-attach/0: then the answer is 101
 * and the connection carries the job's frames. Else the answer is the job.
 */
void job_run(struct fl_http_req *req, void *arg);
/* End all that is attached. */
void job_run_free_all(struct controller *c);

#endif
