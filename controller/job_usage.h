/*
 * job_usage - an app's jobs with what they use now, for people: GET /apps/:app/jobs?expand=true.
 */
#ifndef CONTROLLER_JOB_USAGE_H
#define CONTROLLER_JOB_USAGE_H

struct fl_http_req;

/*
 * The list of jobs.h, and of each also "host_id"; "version", the number of its release; of those that run "cpu_seconds",
 * "cpu_percent", "memory" and "memory_limit" in bytes, which their hosts are asked for at once. A host that does not answer
 * within three seconds leaves them out.
 */
void job_usage_list(struct fl_http_req *req, void *arg);

#endif
