/*
 * time_query - times in the queries of requests: a time of RFC 3339, or how long ago it was.
 */
#ifndef CONTROLLER_TIME_QUERY_H
#define CONTROLLER_TIME_QUERY_H

#include <stdint.h>

struct fl_http_req;

/* "2014-08-16T21:16:12Z", or "90s", "10m", "2h" or "1d" before now_us: wall microseconds. -1: it is neither. */
int time_query_parse(const char *text, int64_t now_us, int64_t *us);
/* The query's time, 0 without one. -1: answered, with a 400 that names it. */
int time_query(struct fl_http_req *req, const char *name, int64_t *us);

#endif
