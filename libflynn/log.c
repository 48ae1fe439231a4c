/*
 * log - see log.h.
 */
#include "libflynn/log.h"

#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "libflynn/attr.h"
#include "libflynn/clock.h"

static const char *const level_names[] = {
	[FL_LOG_DEBUG] = "debug",
	[FL_LOG_INFO] = "info",
	[FL_LOG_WARN] = "warn",
	[FL_LOG_ERROR] = "error",
};

/* Of the process: set once at its start, then only read. */
static struct {
	char component[64];
	enum fl_log_level level;
} settings = { .level = FL_LOG_INFO };

/* A reader that lives takes a burst of lines in less, and one that does not is waited for but once. */
#define PATIENCE_MS 50

/* Lines that nobody took, since one was taken last. */
static atomic_int n_lost;

/* A line in the making. One byte is kept for the newline; what does not fit is cut. */
struct line {
	char *data;
	size_t len, cap;
};

static void
add(struct line *l, const char *data, size_t len)
{
	size_t room = l->cap - 1 - l->len;

	if (len > room)
		len = room;
	memcpy(l->data + l->len, data, len);
	l->len += len;
}

static void
add_str(struct line *l, const char *s)
{
	add(l, s, strlen(s));
}

static bool
is_plain(const char *s)
{
	if (*s == '\0')
		return false;
	for (; *s != '\0'; s++)
		if ((unsigned char)*s <= ' ' || *s == '"' || *s == '=' || *s == '\\' || *s == 0x7f)
			return false;
	return true;
}

/* Control bytes are escaped: who chooses a value must not forge a line or drive a terminal. */
static void
add_escaped(struct line *l, char c)
{
	char hex[8];

	switch (c) {
	case '\n':
		add(l, "\\n", 2);
		break;
	case '\r':
		add(l, "\\r", 2);
		break;
	case '\t':
		add(l, "\\t", 2);
		break;
	case '"':
	case '\\':
		add(l, "\\", 1);
		add(l, &c, 1);
		break;
	default:
		if ((unsigned char)c >= ' ' && c != 0x7f) {
			add(l, &c, 1);
			break;
		}
		snprintf(hex, sizeof(hex), "\\u%04x", (unsigned)(unsigned char)c);
		add_str(l, hex);
	}
}

static void
add_value(struct line *l, const char *s)
{
	if (is_plain(s)) {
		add_str(l, s);
		return;
	}
	add(l, "\"", 1);
	for (; *s != '\0'; s++)
		add_escaped(l, *s);
	add(l, "\"", 1);
}

static void
add_time(struct line *l, int64_t wall_us)
{
	time_t s = (time_t)(wall_us / 1000000);
	struct tm tm;
	char text[32], ms[8];

	gmtime_r(&s, &tm);
	strftime(text, sizeof(text), "t=%Y-%m-%dT%H:%M:%S", &tm);
	add_str(l, text);
	snprintf(ms, sizeof(ms), ".%03uZ", (unsigned)(wall_us / 1000 % 1000));
	add_str(l, ms);
}

static void
add_number(struct line *l, int64_t n)
{
	char digits[24], *at = digits + sizeof(digits);
	uint64_t rest = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;

	do
		*--at = (char)('0' + rest % 10);
	while ((rest /= 10) > 0);
	if (n < 0)
		*--at = '-';
	add(l, at, (size_t)(digits + sizeof(digits) - at));
}

static void
add_field(struct line *l, const struct fl_log_field *f)
{
	add(l, " ", 1);
	add_str(l, f->key);
	add(l, "=", 1);
	if (f->str != NULL)
		add_value(l, f->str);
	else
		add_number(l, f->num);
}

void
fl_log_init(const char *component)
{
	const char *level = getenv("LOG_LEVEL");

	snprintf(settings.component, sizeof(settings.component), "%s", component);
	for (size_t i = 0; level != NULL && i < sizeof(level_names) / sizeof(level_names[0]); i++)
		if (strcmp(level, level_names[i]) == 0)
			settings.level = (enum fl_log_level)i;
}

void
fl_log_set_level(enum fl_log_level level)
{
	settings.level = level;
}

size_t
fl_log_format(char *out, size_t size, int64_t wall_us, enum fl_log_level level, const char *msg,
    const struct fl_log_field *fields)
{
	struct line l = { .data = out, .cap = size };

	add_time(&l, wall_us);
	add_str(&l, " lvl=");
	add_str(&l, level_names[level]);
	if (settings.component[0] != '\0') {
		add_str(&l, " component=");
		add_value(&l, settings.component);
	}
	add_str(&l, " msg=");
	add_value(&l, msg);
	for (; fields->key != NULL; fields++)
		add_field(&l, fields);
	l.data[l.len++] = '\n';
	return l.len;
}

/* As much as can be written without waiting longer: into a pipe that has room goes so much at least. */
static bool
write_soon(const char *data, size_t len, int wait_ms)
{
	struct pollfd p = { .fd = STDERR_FILENO, .events = POLLOUT };

	while (len > 0) {
		ssize_t n = 0;

		if (poll(&p, 1, wait_ms) == 1 && (p.revents & POLLOUT) != 0)
			n = write(STDERR_FILENO, data, len < PIPE_BUF ? len : PIPE_BUF);
		if (n <= 0)
			return false;
		data += n;
		len -= (size_t)n;
	}
	return true;
}

static void
tell_lost(int n)
{
	char line[256];
	const struct fl_log_field fields[] = { fl_int("lines", n), FL_LOG_END };
	size_t len = fl_log_format(line, sizeof(line), fl_clock_wall_us(), FL_LOG_WARN, "nobody read the log, some of it is lost", fields);

	if (!write_soon(line, len, 0))
		atomic_fetch_add(&n_lost, n);
}

void
fl_log_write(enum fl_log_level level, const char *msg, const struct fl_log_field *fields)
{
	char line[FL_LOG_LINE_MAX];
	size_t len;
	int n;

	if (level < settings.level)
		return;
	if ((n = atomic_exchange(&n_lost, 0)) > 0)
		tell_lost(n);
	len = fl_log_format(line, sizeof(line), fl_clock_wall_us(), level, msg, fields);
	if (!write_soon(line, len, n > 0 ? 0 : PATIENCE_MS))
		atomic_fetch_add(&n_lost, 1);
}
