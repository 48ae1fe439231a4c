/*
 * sse - server-sent events (WHATWG HTML, 9.2): a parser of the stream and a writer.
 */
#ifndef FL_SSE_H
#define FL_SSE_H

#include <stddef.h>

struct fl_buf;
struct fl_err;
struct fl_sse;

/* One event; event and id are "" when not given. Borrowed for the call. */
typedef void (*fl_sse_cb)(const char *event, const char *id, const char *data, size_t len, void *arg);

/* max_bytes bounds one event. */
struct fl_sse *fl_sse_new(size_t max_bytes, fl_sse_cb cb, void *arg);
void fl_sse_free(struct fl_sse *s);
/* Feed bytes as they come; cb is called for each event that is complete. -1: TOO_BIG. */
int fl_sse_feed(struct fl_sse *s, const char *data, size_t len, struct fl_err *err);

/* Append one event to b; event and id may be NULL; newlines in data become more data lines. */
void fl_sse_write(struct fl_buf *b, const char *event, const char *id, const char *data);

#endif
