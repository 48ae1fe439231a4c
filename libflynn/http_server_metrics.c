/*
 * http_server_metrics - GET /metrics: what every daemon tells of itself, as OpenMetrics text.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "libflynn/attr.h"
#include "libflynn/http_server_internal.h"

#define PROC_LINE 1024

/* The first line of a file of procfs; "" when it cannot be read. */
static void
read_line(const char *path, char line[PROC_LINE])
{
	FILE *f = fopen(path, "re");

	if (f == NULL || fgets(line, PROC_LINE, f) == NULL)
		line[0] = '\0';
	if (f != NULL)
		fclose(f);
}

/* The n-th word (from 1) of a line as a number; 0 when there is none. */
static long long
number_at(const char *line, int n)
{
	for (int i = 1; i < n; i++) {
		line += strspn(line, " ");
		line += strcspn(line, " ");
	}
	return strtoll(line, NULL, 10);
}

static long long
resident_bytes(void)
{
	char line[PROC_LINE];

	read_line("/proc/self/statm", line);
	return number_at(line, 2) * sysconf(_SC_PAGESIZE);
}

static int
count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = -1; /* the directory's own */

	if (d == NULL)
		return 0;
	for (struct dirent *e; (e = readdir(d)) != NULL;)
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

/* When the process began, in seconds since the epoch: field 22 of stat, in ticks since boot. */
static double
started_at(void)
{
	struct timespec up, now;
	char line[PROC_LINE];
	const char *p;

	read_line("/proc/self/stat", line);
	p = strrchr(line, ')'); /* ends field 2, the name, which may hold anything */
	if (p == NULL)
		return 0;
	clock_gettime(CLOCK_BOOTTIME, &up);
	clock_gettime(CLOCK_REALTIME, &now);
	return (double)(now.tv_sec - up.tv_sec) + (double)number_at(p + 1, 22 - 2) / (double)sysconf(_SC_CLK_TCK);
}

static double
cpu_seconds(void)
{
	struct rusage r = { 0 };

	getrusage(RUSAGE_SELF, &r);
	return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
	    (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

static void
write_process(struct fl_buf *b)
{
	fl_buf_addf(b, "# TYPE process_resident_memory_bytes gauge\nprocess_resident_memory_bytes %lld\n",
	    resident_bytes());
	fl_buf_addf(b, "# TYPE process_cpu_seconds counter\nprocess_cpu_seconds_total %.6f\n", cpu_seconds());
	fl_buf_addf(b, "# TYPE process_open_fds gauge\nprocess_open_fds %d\n", count_fds());
	fl_buf_addf(b, "# TYPE process_start_time_seconds gauge\nprocess_start_time_seconds %.2f\n", started_at());
}

static void
write_http(const struct fl_http *h, struct fl_buf *b)
{
	const struct http_conn *c;
	size_t n = 0;

	fl_buf_addstr(b, "# TYPE http_requests counter\n");
	for (size_t i = 1; i < fl_nitems(h->answered); i++)
		fl_buf_addf(b, "http_requests_total{class=\"%zuxx\"} %llu\n", i, (unsigned long long)h->answered[i]);
	TAILQ_FOREACH(c, &h->conns, link)
		n++;
	fl_buf_addf(b, "# TYPE http_connections gauge\nhttp_connections %zu\n", n);
	fl_buf_addf(b, "# TYPE http_event_streams gauge\nhttp_event_streams %zu\n", h->n_events);
}

void
http_metrics(struct fl_http_req *req, void *arg)
{
	struct fl_http *h = req->http;
	struct fl_buf b = { 0 };

	write_process(&b);
	write_http(h, &b);
	if (h->metrics != NULL)
		h->metrics(&b, arg);
	fl_buf_addstr(&b, "# EOF\n");
	fl_http_reply(req, 200, "application/openmetrics-text; version=1.0.0; charset=utf-8", b.data, b.len);
	fl_buf_release(&b);
}
