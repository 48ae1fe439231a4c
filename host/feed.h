/*
 * feed - who follows what becomes of this host's jobs, over server-sent events.
 */
#ifndef HOST_FEED_H
#define HOST_FEED_H

#include <stddef.h>

struct feed;
struct fl_buf;
struct fl_http_req;
struct host;
struct job;

struct feed *feed_new(struct host *h);
void feed_free(struct feed *f);
/* Answer req with the stream: first all jobs, then each change. */
void feed_subscribe(struct feed *f, struct fl_http_req *req);
/* Tell all. kind: create start up stop error cleanup. */
void feed_send(struct feed *f, const char *kind, const struct job *j);
size_t feed_count(const struct feed *f);
/* All jobs, as the object id -> active job. */
void feed_write_jobs(const struct host *h, struct fl_buf *out);

#endif
