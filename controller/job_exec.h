/*
 * job_exec - POST /apps/:app/jobs/:job/exec: a command beside a job that runs, in its container, attached to the request's
 * connection.
 */
#ifndef CONTROLLER_JOB_EXEC_H
#define CONTROLLER_JOB_EXEC_H

struct controller;
struct fl_http_req;

/*
 * Body {"cmd","env","tty","tty_columns","tty_lines"}. The answer is 101, and then the connection carries the command's frames; it
 * must be asked for as for an attached run.
 */
void job_exec(struct fl_http_req *req, void *arg);
/* End all that is attached. */
void job_exec_free_all(struct controller *c);

#endif
