/*
 * http_server_metrics - GET /metrics: what every daemon tells of itself, as OpenMetrics text.
 */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "libflynn/attr.h"
#include "libflynn/http_server_internal.h"

/* The n-th number (from 1) of a line of numbers; 0 when it cannot be read. */
static long long
proc_number(const char *path, int n)
{
	FILE *f = fopen(path, "re");
	long long value = 0;

	if (f == NULL)
		return 0;
	for (int i = 0; i < n; i++)
		if (fscanf(f, "%lld", &value) != 1)
			value = 0;
	fclose(f);
	return value;
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
	FILE *f = fopen("/proc/self/stat", "re");
	unsigned long long ticks = 0;
	struct timespec up, now;
	char line[1024] = "", *p;

	if (f == NULL)
		return 0;
	if (fgets(line, sizeof(line), f) == NULL)
		line[0] = '\0';
	fclose(f);
	p = strrchr(line, ')'); /* the name before it may hold anything */
	if (p == NULL || sscanf(p, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu", &ticks) != 1)
		return 0;
	clock_gettime(CLOCK_BOOTTIME, &up);
	clock_gettime(CLOCK_REALTIME, &now);
	return (double)(now.tv_sec - up.tv_sec) + (double)ticks / (double)sysconf(_SC_CLK_TCK);
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
	    proc_number("/proc/self/statm", 2) * sysconf(_SC_PAGESIZE));
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
