#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/cli.h"
#include "cli/client.h"
#include "cli/config.h"
#include "cli/list.h"
#include "cli/table.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/clock.h"
#include "libflynn/err.h"
#include "libflynn/http_client.h"
#include "libflynn/json.h"
#include "libflynn/sse.h"
#include "libflynn/url.h"
#include "libflynn/xmalloc.h"

/* How many there are at first, without -n. */
#define N_LIST "100"
#define N_FOLLOW "10"
/* The controller says something at least every 30 s. */
#define SILENCE_MS 75000
#define MAX_EVENT ((size_t)64 << 10)

struct request_options {
	const char *status, *slow, *host, *n;
	bool follow;
};

/* The stream as it arrives. */
struct follow {
	struct fl_sse *sse;
	bool json;
	bool has_begun; /* the answer is no error, which has no heads above it */
	bool closed; /* nobody reads our output any more */
	struct fl_err err;
};

/* In milliseconds, and always as wide. */
static const char *
time_text(const struct fl_json *r, char *out, size_t size)
{
	int64_t us = 0;
	time_t s;
	struct tm tm;
	char text[32];

	if (fl_clock_parse(fl_json_text(r, "time"), &us) == -1)
		return "-";
	s = (time_t)(us / 1000000);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", gmtime_r(&s, &tm));
	snprintf(out, size, "%s.%03dZ", text, (int)(us / 1000 % 1000));
	return out;
}

static const char *
colour_of(long long status)
{
	static const char *const colours[] = { "\033[2m", "\033[36m", "\033[32m", "\033[36m", "\033[33m", "\033[31m" };

	if (!table_colours())
		return NULL;
	return colours[status >= 100 && status < 600 ? status / 100 : 0];
}

static void
print_heads(void)
{
	const char *bold = table_colours() ? "\033[1m" : "", *plain = table_colours() ? "\033[0m" : "";

	printf("%s%-24s  %-6s  %10s  %10s  %-21s  %-7s  %s%s\n", bold, "TIME", "STATUS", "MS", "BYTES", "INSTANCE", "METHOD",
	    "HOST AND PATH", plain);
}

static void
print_request(const struct fl_json *r)
{
	const struct fl_json *path = fl_json_get(r, "path");
	long long status = (long long)fl_json_int(fl_json_get(r, "status"), 0);
	const char *colour = colour_of(status);
	char when[48], code[16] = "-";

	if (status != 0)
		snprintf(code, sizeof(code), "%lld", status);
	printf("%-24s  %s%-6s%s  %10.1f  %10lld  %-21s  %-7s  ", time_text(r, when, sizeof(when)), colour != NULL ? colour : "", code,
	    colour != NULL ? "\033[0m" : "", fl_json_double(fl_json_get(r, "total_ms"), 0),
	    (long long)fl_json_int(fl_json_get(r, "bytes_down"), 0), fl_json_str(fl_json_get(r, "instance"), "-"),
	    fl_json_str(fl_json_get(r, "method"), "-"));
	cli_put(stdout, fl_json_text(r, "host"), "?");
	cli_put(stdout, fl_json_str(path, ""), "?");
	printf("%s\n", fl_json_bool(fl_json_get(r, "whole"), true) ? "" : "  (broke off)");
}

/* The newest at the end, as of a log. */
static void
print_requests(const struct fl_json *requests, FL_UNUSED const void *arg)
{
	if (fl_json_len(requests) > 0)
		print_heads();
	for (size_t i = fl_json_len(requests); i > 0; i--)
		print_request(fl_json_at(requests, i - 1));
}

static void
on_event(const char *event, FL_UNUSED const char *id, const char *data, size_t len, void *arg)
{
	struct follow *f = arg;
	struct fl_json *v;

	if (strcmp(event, "missed") == 0) {
		fprintf(stderr, "flynn: there were more requests than could be told\n");
		return;
	}
	if (*event != '\0' || (v = fl_json_parse(data, len, NULL)) == NULL)
		return; /* of a controller newer than we are */
	if (f->json)
		printf("%.*s\n", (int)len, data);
	else
		print_request(v);
	fl_json_free(v);
}

static int
on_data(const char *data, size_t len, void *arg)
{
	struct follow *f = arg;

	if (!f->has_begun && !f->json)
		print_heads();
	f->has_begun = true;
	if (fl_sse_feed(f->sse, data, len, &f->err) == -1)
		return -1;
	f->closed = fflush(stdout) == EOF || ferror(stdout);
	return f->closed ? -1 : 0;
}

/* "/requests?limit=10&status=5xx"; the caller frees. */
static char *
query_of(const struct request_options *o)
{
	struct fl_buf b = { 0 };
	char *limit = fl_url_encode(o->n != NULL ? o->n : o->follow ? N_FOLLOW : N_LIST);

	fl_buf_addf(&b, "/requests?limit=%s", limit);
	fl_url_add_query(&b, "status", o->status);
	fl_url_add_query(&b, "slow", o->slow);
	fl_url_add_query(&b, "host", o->host);
	free(limit);
	return fl_buf_detach(&b);
}

static int
follow(struct cli *cli, const char *app, const char *query)
{
	static const char *const headers[] = { "Accept: text/event-stream", NULL };
	struct follow f = { .json = cli->json };
	struct fl_http_call_opts opts = { .headers = headers, .idle_timeout_ms = SILENCE_MS, .on_data = on_data };
	char *path = fl_xasprintf("/apps/%s%s", app, query), *what = fl_xasprintf("app %s", app);
	struct fl_err err = { 0 };

	f.sse = fl_sse_new(MAX_EVENT, on_event, &f);
	if (client_stream(cli, path, &opts, &f, what, &err) == 0)
		fl_err_set(&err, FL_ERR_UNAVAILABLE, "the controller ended the stream: it is starting anew, try again");
	if (f.closed)
		err = (struct fl_err){ 0 }; /* main looks after the output */
	else if (f.err.kind != FL_ERR_NONE)
		err = f.err;
	fl_sse_free(f.sse);
	free(what);
	free(path);
	return err.kind != FL_ERR_NONE ? cli_fail(&err) : 0;
}

static int
parse_options(int argc, char **argv, struct request_options *o)
{
	static const struct option options[] = {
		{ "follow", no_argument, NULL, 'f' },
		{ "number", required_argument, NULL, 'n' },
		{ "status", required_argument, NULL, 's' },
		{ "slow", required_argument, NULL, 't' },
		{ "host", required_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "fn:", options, NULL)) != -1) {
		switch (c) {
		case 'f':
			o->follow = true;
			break;
		case 'n':
			o->n = optarg;
			break;
		case 's':
			o->status = optarg;
			break;
		case 't':
			o->slow = optarg;
			break;
		case 'h':
			o->host = optarg;
			break;
		default:
			return -1;
		}
	}
	return optind == argc ? 0 : -1;
}

int
cmd_requests(struct cli *cli, int argc, char **argv)
{
	struct request_options o = { 0 };
	const char *app;
	char *query;
	struct fl_err err = { 0 };
	int status;

	if (parse_options(argc, argv, &o) == -1)
		return cli_usage("requests");
	if ((app = cli_app(cli, &err)) == NULL || cli_cluster(cli, &err) == NULL)
		return cli_fail(&err);
	query = query_of(&o);
	if (o.follow)
		status = follow(cli, app, query);
	else
		status = list_show(cli, client_app_call(cli, "GET", app, query, NULL, NULL, &err), print_requests, NULL, &err);
	free(query);
	return status;
}
