/*
 * log_lines - lines with their times out of the log of a job, which comes in pieces cut anywhere.
 *
 * The engine writes its time and a blank before each line, and again within a line where it cut one that is longer than
 * 16 KiB; these are taken out.
 */
#ifndef CONTROLLER_LOG_LINES_H
#define CONTROLLER_LOG_LINES_H

#include <stddef.h>

#include "libflynn/buf.h"

#define LOG_LINE_PIECES 4 /* of the engine's; a longer line comes in parts */
#define LOG_STAMP_LEN 40

/* stamp: as the engine wrote it, RFC 3339 with nanoseconds in UTC, which sorts as text; "" when there was none. */
typedef void (*log_line_cb)(const char *stamp, const char *text, size_t len, void *arg);

/* { 0 } has read nothing. One for each stream. */
struct log_lines {
	struct fl_buf partial;
};

/* text of cb is borrowed for the call. */
void log_lines_feed(struct log_lines *l, const char *data, size_t len, log_line_cb cb, void *arg);
/* The end: what is left is a line, too. */
void log_lines_end(struct log_lines *l, log_line_cb cb, void *arg);
void log_lines_release(struct log_lines *l);

#endif
