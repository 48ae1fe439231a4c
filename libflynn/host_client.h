/*
 * host_client - the API of flynn-host, for all that start jobs.
 */
#ifndef FL_HOST_CLIENT_H
#define FL_HOST_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fl_buf;
struct fl_err;
struct fl_http_client;
struct fl_job;
struct fl_json;

#define FL_HOST_PORT 1113

enum fl_job_status {
	FL_JOB_STARTING,
	FL_JOB_RUNNING,
	FL_JOB_STOPPING,
	FL_JOB_DONE,	/* exited 0, or was told to stop */
	FL_JOB_CRASHED, /* exited otherwise */
	FL_JOB_FAILED,	/* never ran, or never became healthy: see error */
	FL_JOB_STATUS_MAX
};
const char *fl_job_status_name(enum fl_job_status s);
/* FL_JOB_STATUS_MAX for an unknown name. */
enum fl_job_status fl_job_status_of(const char *name);

/* A job as its host sees it. */
struct fl_active_job {
	struct fl_job *job;
	char *host_id, *container_id, *internal_ip, *error; /* NULL: none */
	enum fl_job_status status;
	int *ports; /* as many as job->n_ports: the numbers chosen */
	bool healthy;
	int restarts;
	int64_t created_at, started_at, ended_at; /* wall microseconds; 0: not yet */
	int exit_status;			  /* -1: none */
};

struct fl_active_job *fl_active_job_parse(const struct fl_json *v, struct fl_err *err);
void fl_active_job_write(const struct fl_active_job *a, struct fl_buf *b);
void fl_active_job_free(struct fl_active_job *a);

/* host_addr is "ip:1113". cb once, from the loop; err NULL when accepted. */
void fl_host_add_job(struct fl_http_client *c, const char *host_addr, const struct fl_job *job,
    void (*cb)(const struct fl_err *err, void *arg), void *arg);
void fl_host_stop_job(struct fl_http_client *c, const char *host_addr, const char *job_id,
    void (*cb)(const struct fl_err *err, void *arg), void *arg);

struct fl_host_events_ops {
	/* Every job the host knows, at each (re)connect. ids and jobs are borrowed for the call. */
	void (*on_current)(struct fl_active_job *const *jobs, size_t n, void *arg);
	/* kind: create start up stop error cleanup. */
	void (*on_event)(const char *kind, const struct fl_active_job *job, void *arg);
	void (*on_error)(const struct fl_err *err, void *arg); /* may be NULL; it reconnects by itself */
};
struct fl_host_events;
struct fl_host_events *fl_host_events_start(struct fl_http_client *c, const char *host_addr, const struct fl_host_events_ops *ops, void *arg);
void fl_host_events_free(struct fl_host_events *e);

#endif
