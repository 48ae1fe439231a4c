/*
 * scheduler_record - what becomes of jobs, told to the controller.
 *
 * One request at a time for each job, in order; while the controller is away the newest record of each job waits,
 * so what waits is bounded by the number of jobs.
 */
#ifndef CONTROLLER_SCHEDULER_RECORD_H
#define CONTROLLER_SCHEDULER_RECORD_H

#include <stdbool.h>

struct fl_active_job;
struct records;
struct scheduler;

struct records *records_new(struct scheduler *s);
void records_free(struct records *r);
/* We do not lead any more: what has not been sent is the next leader's to record, and may be older than what he does. */
void records_forget(struct records *r);
/* Whether something of the job is being recorded. */
bool records_have(const struct records *r, const char *job_id);
/* Record the job as its host sees it. Jobs that belong to no app are left out. */
void record_job(struct records *r, const struct fl_active_job *a);
/* Record one that never reached a host, or whose host is gone: state "failed" or "down", with the reason. */
void record_end(struct records *r, const char *job_id, const char *app, const char *release, const char *type,
    const char *state, const char *error);

#endif
