/*
 * log - logfmt on stderr: t= lvl= component= msg= and then typed fields.
 *
 *	fl_log_info("job started", fl_str("job", id), fl_int("ms", took));
 *
 * Values are quoted where they need it; a line has at most 8 KiB. Nobody waits for who reads the log: what does not fit into
 * its pipe is lost, and counted in the next line that does.
 * $LOG_LEVEL (debug, info, warn, error) sets what is printed; default info. Field
 * names are the same everywhere: app job host service release route err ms. Secrets
 * are never logged.
 */
#ifndef FL_LOG_H
#define FL_LOG_H

#include <stddef.h>
#include <stdint.h>

enum fl_log_level { FL_LOG_DEBUG, FL_LOG_INFO, FL_LOG_WARN, FL_LOG_ERROR };

struct fl_log_field {
	const char *key; /* NULL ends the list */
	const char *str; /* NULL: num is the value */
	int64_t num;
};

/* Names the component of every later line; called by fl_daemon_init(). */
void fl_log_init(const char *component);
void fl_log_set_level(enum fl_log_level level);
#define FL_LOG_LINE_MAX ((size_t)8 << 10)
/*
 * Write such a line to memory, for logs that go elsewhere, whatever the level in force: returns its length with the newline, at most
 * size (at least 1); what does not fit is cut. wall_us: its time, in microseconds since the epoch. For any thread.
 */
size_t fl_log_format(char *out, size_t size, int64_t wall_us, enum fl_log_level level, const char *msg,
    const struct fl_log_field *fields);
void fl_log_write(enum fl_log_level level, const char *msg, const struct fl_log_field *fields);

/* NULL is written as "". */
static inline struct fl_log_field
fl_str(const char *key, const char *value)
{
	return (struct fl_log_field){ key, value != NULL ? value : "", 0 };
}

#define fl_int(k, v) ((struct fl_log_field){ (k), NULL, (int64_t)(v) })
#define fl_log_debug(...) FL_LOG_AT(FL_LOG_DEBUG, __VA_ARGS__, FL_LOG_END)
#define fl_log_info(...) FL_LOG_AT(FL_LOG_INFO, __VA_ARGS__, FL_LOG_END)
#define fl_log_warn(...) FL_LOG_AT(FL_LOG_WARN, __VA_ARGS__, FL_LOG_END)
#define fl_log_error(...) FL_LOG_AT(FL_LOG_ERROR, __VA_ARGS__, FL_LOG_END)

#define FL_LOG_END ((struct fl_log_field){ NULL, NULL, 0 })
#define FL_LOG_AT(level, msg, ...) \
	fl_log_write((level), (msg), (const struct fl_log_field[]){ __VA_ARGS__ })

#endif
