/*
 * access_log - a line in logfmt for each request, or some, written by a thread of its own.
 *
 * It follows the journal. Whoever reads the log may stall for ever: then requests are overwritten in
 * the journal before they were told, and are counted; no worker waits.
 */
#ifndef ROUTER_ACCESS_LOG_H
#define ROUTER_ACCESS_LOG_H

#include <stdbool.h>
#include <stdint.h>

struct access_log;
struct fl_err;
struct journal;

/* So many requests of each worker wait at least to be written. */
#define ACCESS_LOG_RECORDS 4096

/* Which requests are told. */
struct access_log_mode {
	bool is_on;
	bool errors_only; /* status 500 to 599 */
	uint32_t one_in;  /* of so many, by chance; 1: all */
};

/* "off", "all", "errors", "1/100". */
int access_log_parse(const char *text, struct access_log_mode *mode, struct fl_err *err);

/* to: "stdout", "stderr", or a file that is appended to, and opened again when it was moved away. mode is on. */
struct access_log *access_log_new(struct journal *j, const struct access_log_mode *mode, const char *to, struct fl_err *err);
/* Writes what there is, unless that takes over a second. No worker runs any more. NULL is fine. */
void access_log_free(struct access_log *l);

/* From any thread: lines written, and requests of which the log cannot tell any more. */
uint64_t access_log_written(const struct access_log *l);
uint64_t access_log_missed(const struct access_log *l);

#endif
