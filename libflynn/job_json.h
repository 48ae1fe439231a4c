/*
 * job_json - what job.c and job_json.c share beside job.h.
 */
#ifndef FL_JOB_JSON_H
#define FL_JOB_JSON_H

#include <stdbool.h>

/* Whether text is "<host id>-<32 lower-case hex digits>". */
bool fl_job_is_id(const char *text);

#endif
