/*
 * host_job - a job of an app where it runs: looked up on its host for requests about one job.
 */
#ifndef CONTROLLER_HOST_JOB_H
#define CONTROLLER_HOST_JOB_H

#include <stdbool.h>

struct controller;
struct fl_http_req;

/* Borrowed for the call. */
struct host_job {
	const char *id, *host_addr;
	bool known; /* to the host */
	bool ended; /* it says */
};

/* A job's id as we write it: its UUID without hyphens, if given is an id at all. The caller frees. */
char *host_job_id(const char *given);

enum host_job_flags { HOST_JOB_MAY_COME = 1 /* a job that the host does not know yet is found too */ };

/*
 * Find the request's :job of its :app on the host that its id names. cb gets it, or NULL: then the request is
 * answered already. Another app's job is not found.
 */
void host_job_find(struct controller *c, struct fl_http_req *req, unsigned flags,
    void (*cb)(const struct host_job *job, void *arg), void *arg);

#endif
