#include "shelf/shelf.h"

#include <event2/event.h>
#include <stdlib.h>

#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/http_server.h"
#include "libflynn/log.h"
#include "libflynn/xmalloc.h"
#include "shelf/store.h"

/* "10", "10K", "10M", "10G"; -1 when it is none of these. */
static int64_t
size_parse(const char *text)
{
	static const char units[] = "KMG";
	char *end;
	long long n = strtoll(text, &end, 10);
	int shift = 0;

	for (int i = 0; *end != '\0' && units[i] != '\0'; i++) {
		if (units[i] == *end) {
			shift = 10 * (i + 1);
			end++;
			break;
		}
	}
	return end == text || *end != '\0' || n < 0 || n > INT64_MAX >> shift ? -1 : (int64_t)n << shift;
}

static void
metrics(struct fl_buf *out, void *arg)
{
	static const char line[] = "# TYPE shelf_%s_bytes counter\nshelf_%s_bytes_total %llu\n";
	const struct shelf *s = arg;

	fl_buf_addf(out, line, "received", "received", (unsigned long long)s->bytes_in);
	fl_buf_addf(out, line, "sent", "sent", (unsigned long long)s->bytes_out);
}

struct shelf *
shelf_new(struct event_base *base, const struct shelf_config *cfg, struct fl_err *err)
{
	struct shelf *s = fl_xcalloc(1, sizeof(*s));
	char *any = fl_xasprintf(":%d", cfg->port), *addr = cfg->http_addr != NULL ? cfg->http_addr : any;
	int64_t max_bytes = cfg->max_size != NULL ? size_parse(cfg->max_size) : 0;
	int rc = -1;

	s->base = base;
	if (max_bytes == -1) {
		fl_err_set(err, FL_ERR_INVALID, "max-size must be a number of bytes, or one with K, M or G behind it");
		goto out;
	}
	if ((s->store = store_open(cfg->dir, max_bytes, err)) == NULL)
		goto out;
	s->http = fl_http_new(base, cfg->key);
	fl_http_set_metrics(s->http, metrics);
	if (api_listen(s, addr, err) == -1)
		goto out;
	fl_log_info("ready", fl_str("http_addr", addr), fl_str("dir", cfg->dir));
	rc = 0;
out:
	free(any);
	if (rc == -1) {
		shelf_free(s);
		s = NULL;
	}
	return s;
}

/* Uploads under way end with their connections, and need the store for that. */
void
shelf_free(struct shelf *s)
{
	if (s == NULL)
		return;
	fl_http_free(s->http);
	store_close(s->store);
	free(s);
}

static void
on_drained(void *arg)
{
	struct shelf *s = arg;

	event_base_loopexit(s->base, NULL);
}

void
shelf_stop(void *arg)
{
	struct shelf *s = arg;

	fl_http_drain(s->http, on_drained, s);
}
