/*
 * log_source - the log of one job, line by line, for whoever joins several of them.
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
struct fl_attach;

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
	char *job_id, *host_id, *type;
	struct fl_attach *attach; /* NULL: not being read */
	struct log_lines lines[LOG_SOURCE_STREAMS];
	STAILQ_HEAD(, log_entry) entries; /* not taken yet */
	size_t bytes;			  /* of them */
	bool paused;
	char newest[LOG_STAMP_LEN]; /* time of the newest line that came */
	bool follows;
	void (*on_more)(struct log_source *s, void *arg);
	void *arg;
};

/* on_more: there are entries to take, or it is not being read any more. From the loop; it may free s. */
struct log_source *log_source_new(struct controller *c, const char *job_id, const char *type,
    void (*on_more)(struct log_source *s, void *arg), void *arg);
void log_source_free(struct log_source *s);

/* What was printed, up to now; tail -1: all, else so many of the last lines. */
void log_source_read(struct log_source *s, int64_t tail);
/* What was printed since the newest line that came (with past; else from now on), and what will be. */
void log_source_follow(struct log_source *s, bool past);

/* The oldest entry, the caller's now; NULL: none. While many are not taken the host is not read from. */
struct log_entry *log_source_take(struct log_source *s);

#endif
