#include "router/access_log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "libflynn/clock.h"
#include "libflynn/err.h"
#include "libflynn/log.h"
#include "libflynn/random.h"
#include "libflynn/xmalloc.h"
#include "router/journal.h"
#include "router/record.h"

/* Lines are written so many bytes at a time, and after such a pause: workers ring once in it at most. */
#define TEXT_BYTES ((size_t)64 << 10)
#define PAUSE_MS 10
/* What threads have of their own (_Thread_local) is in it. */
#define STACK_BYTES ((size_t)256 << 10)
/* How often the file is looked for where it should be. */
#define MOVED_MS 1000
#define STOP_MS 1000

struct access_log {
	struct journal *j;
	struct access_log_mode mode;
	const char *path; /* NULL: standard output or error */
	int fd;
	pthread_t thread;
	bool is_started;
	int stop_fd; /* eventfd, readable once is_stopping */
	_Atomic bool is_stopping;
	_Atomic int64_t stop_at_ms; /* the latest */
	_Atomic uint64_t n_written, n_missed;
	/* The thread's. */
	uint64_t random;
	int64_t wall_us; /* to be added to monotonic times */
	int64_t looked_ms;
	bool is_broken; /* the last write failed, and that was said */
	bool is_torn;	/* the file ends within a line, for which there was no room */
	size_t len, n_lines;
	char text[TEXT_BYTES];
	_Atomic uint64_t next[]; /* by worker */
};

int
access_log_parse(const char *text, struct access_log_mode *mode, struct fl_err *err)
{
	unsigned long n;

	*mode = (struct access_log_mode){ .is_on = strcmp(text, "off") != 0, .errors_only = strcmp(text, "errors") == 0, .one_in = 1 };
	if (!mode->is_on || mode->errors_only || strcmp(text, "all") == 0)
		return 0;
	n = strncmp(text, "1/", 2) == 0 && strspn(text + 2, "0123456789") == strlen(text + 2) && strlen(text) < 10
	    ? strtoul(text + 2, NULL, 10) : 0;
	if (n == 0)
		return fl_err_set(err, FL_ERR_INVALID, "\"%.20s\" is none of off, all, errors, 1/N", text);
	mode->one_in = (uint32_t)n;
	return 0;
}

static bool
is_chosen(struct access_log *l, const struct record *r)
{
	if (l->mode.errors_only)
		return r->status >= 500;
	if (l->mode.one_in == 1)
		return true;
	/* xorshift64 */
	l->random ^= l->random << 13;
	l->random ^= l->random >> 7;
	l->random ^= l->random << 17;
	return l->random % l->mode.one_in == 0;
}

/* A text that lasts as long as the line is made. */
static const char *
copy(struct fl_span text, char *out)
{
	memcpy(out, text.p, text.len);
	out[text.len] = '\0';
	return out;
}

/* With three decimals. */
static const char *
milliseconds(float us, char out[32])
{
	char *at = out + 31;
	int64_t n = (int64_t)us;

	*at = '\0';
	for (int i = 0; i < 4 || n > 0; i++, n /= 10) {
		*--at = (char)('0' + n % 10);
		if (i == 2)
			*--at = '.';
	}
	return at;
}

static bool
add_line(const struct record *r, void *arg)
{
	struct access_log *l = arg;
	struct fl_log_field f[18];
	char method[RECORD_METHOD + 1], host[RECORD_HOST + 1], path[RECORD_NOTE + 1], id[RECORD_ID + 1];
	char instance[RECORD_NAME + 1], release[RECORD_NAME + 1], client[INET6_ADDRSTRLEN], connect[32], first[32], total[32];
	size_t n = 0;

	if (!is_chosen(l, r))
		return true;
	record_client(r, client);
	f[n++] = fl_str("host", copy(r->host, host));
	f[n++] = fl_str("method", copy(r->method, method));
	f[n++] = fl_str("path", copy(r->path, path));
	f[n++] = fl_int("status", r->status);
	f[n++] = fl_int("bytes_up", r->up_bytes);
	f[n++] = fl_int("bytes_down", r->down_bytes);
	if (r->connect_us > 0)
		f[n++] = fl_str("connect_ms", milliseconds(r->connect_us, connect));
	if (r->first_us > 0)
		f[n++] = fl_str("first_byte_ms", milliseconds(r->first_us, first));
	f[n++] = fl_str("total_ms", milliseconds(r->total_us, total));
	if (r->instance.len > 0)
		f[n++] = fl_str("instance", copy(r->instance, instance));
	if (r->release.len > 0)
		f[n++] = fl_str("release", copy(r->release, release));
	f[n++] = fl_str("client", client);
	f[n++] = fl_str("request_id", copy(r->id, id));
	f[n++] = fl_str("protocol", record_protocol(r));
	f[n++] = fl_str("tls", (r->flags & RECORD_TLS) != 0 ? "true" : "false");
	if (r->retries > 0)
		f[n++] = fl_int("retries", r->retries);
	if ((r->flags & RECORD_WHOLE) == 0)
		f[n++] = fl_str("whole", "false");
	f[n] = FL_LOG_END;
	l->len += fl_log_format(l->text + l->len, sizeof(l->text) - l->len, r->start_us + (int64_t)r->total_us + l->wall_us,
	    FL_LOG_INFO, "request", f);
	l->n_lines++;
	return sizeof(l->text) - l->len > FL_LOG_LINE_MAX;
}

/* Until something can be written, or, once we are to end, for the rest of STOP_MS. */
static int
wait_writable(struct access_log *l)
{
	struct pollfd p[2] = { { .fd = l->fd, .events = POLLOUT }, { .fd = l->stop_fd, .events = POLLIN } };
	int64_t left;

	if (!atomic_load(&l->is_stopping))
		while (poll(p, 2, -1) == -1 && errno == EINTR)
			;
	if (p[0].revents != 0)
		return 0;
	left = atomic_load(&l->stop_at_ms) - fl_clock_ms();
	if (poll(p, 1, left > 0 ? (int)left : 0) == 1)
		return 0;
	errno = ETIMEDOUT;
	return -1;
}

/*
 * All of the text, however long its reader takes; or, on an error, *done bytes of it. So much at a time goes into a
 * pipe that is writable without waiting in write(2), out of which nobody could call us.
 */
static int
write_text(struct access_log *l, const char *text, size_t text_len, size_t *done)
{
	*done = 0;
	while (*done < text_len) {
		size_t len = text_len - *done < PIPE_BUF ? text_len - *done : PIPE_BUF;
		ssize_t n;

		if (wait_writable(l) == -1)
			return -1;
		if ((n = write(l->fd, text + *done, len)) >= 0)
			*done += (size_t)n;
		else if (errno != EAGAIN && errno != EINTR)
			return -1;
	}
	return 0;
}

/* What was made of it before an error: whole lines, and maybe a part of one. */
static void
note_part(struct access_log *l, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += l->text[i] == '\n';
	l->is_torn = l->is_torn || (len > 0 && l->text[len - 1] != '\n');
	atomic_fetch_add(&l->n_written, n);
	atomic_fetch_add(&l->n_missed, l->n_lines - n);
}

static void
flush(struct access_log *l)
{
	size_t done = 0;

	if (l->is_torn && write_text(l, "\n", 1, &done) == 0)
		l->is_torn = false; /* and none goes on in another */
	if (!l->is_torn && write_text(l, l->text, l->len, &done) == 0) {
		atomic_fetch_add(&l->n_written, l->n_lines);
		l->is_broken = false;
	} else {
		note_part(l, l->is_torn ? 0 : done);
		if (!l->is_broken)
			fl_log_warn("cannot write the access log", fl_str("err", strerror(errno)));
		l->is_broken = true;
	}
	l->len = l->n_lines = 0;
}

static int
open_file(const char *path, struct fl_err *err)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);

	if (fd == -1)
		fl_err_sys(err, "open the access log %s", path);
	return fd;
}

/* Who rotates logs moves the file away. */
static void
reopen_moved(struct access_log *l)
{
	struct stat ours, theirs;
	struct fl_err err = { 0 };
	int fd;

	if (l->path == NULL || fl_clock_ms() - l->looked_ms < MOVED_MS)
		return;
	l->looked_ms = fl_clock_ms();
	if (fstat(l->fd, &ours) == -1 ||
	    (stat(l->path, &theirs) == 0 && ours.st_ino == theirs.st_ino && ours.st_dev == theirs.st_dev))
		return;
	if ((fd = open_file(l->path, &err)) == -1) {
		fl_log_warn("the access log stays in its old file", fl_str("err", err.msg));
		return;
	}
	close(l->fd);
	l->fd = fd;
	l->is_torn = false;
}

/* Everything that one worker has had. */
static uint64_t
write_ring(struct access_log *l, size_t i)
{
	uint64_t lost = 0, next = atomic_load(&l->next[i]), was;

	do {
		uint64_t gap;

		was = next;
		gap = ring_read(&l->j->rings[i], &next, add_line, l);
		atomic_store(&l->next[i], next);
		atomic_fetch_add(&l->n_missed, gap);
		lost += gap;
		if (l->len > 0)
			flush(l);
	} while (next != was);
	return lost;
}

static void
write_all(struct access_log *l)
{
	uint64_t lost = 0;

	reopen_moved(l);
	l->wall_us = fl_clock_wall_us() - fl_clock_us();
	for (size_t i = 0; i < l->j->n; i++)
		lost += write_ring(l, i);
	if (lost > 0)
		fl_log_warn("the access log was not read in time: requests are missing in it", fl_int("requests", lost));
}

static void *
run(void *arg)
{
	struct access_log *l = arg;
	static const struct timespec pause = { .tv_nsec = PAUSE_MS * 1000000L };
	bool is_last = false;

	while (!is_last) {
		uint64_t n;

		if (read(l->j->bells[JOURNAL_LOG].fd, &n, sizeof(n)) == -1 && errno != EINTR) {
			fl_log_error("cannot hear of requests", fl_str("err", strerror(errno)));
			break;
		}
		is_last = atomic_load(&l->is_stopping);
		journal_answer(l->j, JOURNAL_LOG);
		write_all(l);
		if (!is_last)
			nanosleep(&pause, NULL);
	}
	return NULL;
}

static int
start(struct access_log *l, struct fl_err *err)
{
	pthread_attr_t attr;
	sigset_t all, old;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old); /* signals are the control thread's */
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	errno = pthread_create(&l->thread, &attr, run, l);
	l->is_started = errno == 0;
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (!l->is_started)
		return fl_err_sys(err, "start the access log");
	pthread_setname_np(l->thread, "access-log");
	return 0;
}

struct access_log *
access_log_new(struct journal *j, const struct access_log_mode *mode, const char *to, struct fl_err *err)
{
	struct access_log *l = fl_xcalloc(1, sizeof(*l) + j->n * sizeof(l->next[0]));

	l->j = j;
	l->mode = *mode;
	l->stop_fd = -1;
	fl_random_bytes(&l->random, sizeof(l->random));
	l->random |= 1; /* all zero would stay so */
	if (strcmp(to, "stdout") == 0)
		l->fd = STDOUT_FILENO;
	else if (strcmp(to, "stderr") == 0)
		l->fd = STDERR_FILENO;
	else
		l->fd = open_file(l->path = to, err);
	if (l->fd != -1 && (l->stop_fd = eventfd(0, EFD_CLOEXEC)) == -1)
		fl_err_sys(err, "make an eventfd");
	if (l->fd == -1 || l->stop_fd == -1 || journal_want(j, JOURNAL_LOG, err) == -1 || start(l, err) == -1) {
		access_log_free(l);
		return NULL;
	}
	return l;
}

static void
ring(int fd)
{
	uint64_t one = 1;

	if (write(fd, &one, sizeof(one)) == -1)
		fl_log_error("cannot end the access log", fl_str("err", strerror(errno)));
}

static void
stop(struct access_log *l)
{
	atomic_store(&l->stop_at_ms, fl_clock_ms() + STOP_MS);
	atomic_store(&l->is_stopping, true);
	ring(l->stop_fd);
	ring(l->j->bells[JOURNAL_LOG].fd);
	pthread_join(l->thread, NULL);
}

void
access_log_free(struct access_log *l)
{
	if (l == NULL)
		return;
	if (l->is_started)
		stop(l);
	if (l->path != NULL && l->fd != -1)
		close(l->fd);
	if (l->stop_fd != -1)
		close(l->stop_fd);
	free(l);
}

uint64_t
access_log_written(const struct access_log *l)
{
	return atomic_load(&l->n_written);
}

uint64_t
access_log_missed(const struct access_log *l)
{
	uint64_t n = atomic_load(&l->n_missed);

	/* And what is overwritten already while it waits to write. */
	for (size_t i = 0; i < l->j->n; i++) {
		uint64_t oldest = ring_oldest(&l->j->rings[i]), next = atomic_load(&l->next[i]);

		if (oldest > next)
			n += oldest - next;
	}
	return n;
}
