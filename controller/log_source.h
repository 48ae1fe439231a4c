/*
 * log_source - one log, line by line, for whoever joins several of them: of a job, as its host has it, or what a router tells of
 * an app's requests (log_requests.h).
 */
#ifndef CONTROLLER_LOG_SOURCE_H
#define CONTROLLER_LOG_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controller/log_lines.h"
#include "libflynn/frame.h"
#include "libflynn/list.h"

#define LOG_SOURCE_STREAMS 2 /* stdout and stderr */

struct controller;
struct log_source;

/* Where the lines come from. */
struct log_source_kind {
	/* past: what was printed, with tail not -1 so many of its last lines; follow: what will be. Sets is_read if there is any. */
	void (*start)(struct log_source *s, bool past, bool follow, int64_t tail);
	/* No more of it. */
	void (*stop)(struct log_source *s);
	void (*pause)(struct log_source *s, bool on);
	void (*release)(struct log_source *s);
};

struct log_entry {
	STAILQ_ENTRY(log_entry) link;
	enum fl_frame_stream stream;
	char stamp[LOG_STAMP_LEN];
	size_t len;
	char text[];
};

struct log_source {
	TAILQ_ENTRY(log_source) link; /* its owner's */
	struct controller *c;
	const struct log_source_kind *kind;
	char *job_id, *host_id, *type; /* of a job; else NULL */
	char *since;		       /* nothing older, seconds since the epoch with decimals; NULL: all */
	void *reader;		       /* the kind's own */
	bool is_read;
	STAILQ_HEAD(, log_entry) entries; /* not taken yet */
	size_t bytes;			  /* of them */
	bool paused;
	char newest[LOG_STAMP_LEN]; /* time of the newest line that came */
	char told[LOG_STAMP_LEN];   /* the same, when following began */
	bool follows;
	void (*on_more)(struct log_source *s, void *arg);
	void *arg;
};

/* on_more: there are entries to take, or it is not being read any more. From the loop; it may free s. since may be NULL; copied. */
struct log_source *log_source_new(struct controller *c, const char *job_id, const char *type, const char *since,
    void (*on_more)(struct log_source *s, void *arg), void *arg);
void log_source_free(struct log_source *s);

/* What was printed, up to now; tail -1: all, else so many of the last lines. */
void log_source_read(struct log_source *s, int64_t tail);
/* What was printed since the newest line that came (with past; else from now on), and what will be. */
void log_source_follow(struct log_source *s, bool past);

/* The oldest entry, the caller's now; NULL: none. While many are not taken the host is not read from. */
struct log_entry *log_source_take(struct log_source *s);

/* ---- for kinds ---- */

/* An empty one. */
struct log_source *log_source_make(struct controller *c, const struct log_source_kind *kind, const char *since,
    void (*on_more)(struct log_source *s, void *arg), void *arg);
/* A line has come; what is not newer than one that came before its following began is left out. */
void log_source_put(struct log_source *s, enum fl_frame_stream stream, const char *stamp, const char *text, size_t len);
/* Tell of lines that were put. It may free s. */
void log_source_tell(struct log_source *s);
/* There is no more: stop, and tell. It may free s. */
void log_source_over(struct log_source *s);

#endif
