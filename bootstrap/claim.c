#include <event2/event.h>
#include <stdbool.h>
#include <stdlib.h>

#include "bootstrap/bootstrap.h"
#include "bootstrap/claim.h"
#include "libflynn/clock.h"
#include "libflynn/err.h"
#include "libflynn/http_client.h"
#include "libflynn/json.h"
#include "libflynn/retry.h"
#include "libflynn/sse.h"
#include "libflynn/xmalloc.h"

#define GIVE_UP_MS 30000
#define MAX_EVENT_BYTES 4096
/* A host that was claimed by a bootstrap that died is wiped before it answers. */
#define ANSWER_TIMEOUT_MS 60000

struct claim {
	struct bootstrap *bootstrap;
	struct fl_http_client *http;
	const struct claim_ops *ops;
	struct fl_retry retry;
	struct fl_sse *sse;
	char *url, *host_addr;
	int64_t give_up_at;
	bool granted;
};

static void
on_event(FL_UNUSED const char *event, FL_UNUSED const char *id, const char *data, size_t len, void *arg)
{
	struct claim *c = arg;
	struct fl_json *v = fl_json_parse(data, len, NULL);
	const char *key = fl_json_str(fl_json_get(v, "key"), NULL);
	const char *host_id = fl_json_str(fl_json_get(v, "host_id"), NULL);

	if (!c->granted && key != NULL && host_id != NULL) {
		c->granted = true;
		c->ops->on_granted(key, host_id, c->bootstrap);
	}
	fl_json_free(v);
}

static int
on_data(const char *data, size_t len, void *arg)
{
	struct claim *c = arg;

	return fl_sse_feed(c->sse, data, len, NULL);
}

static void
on_ended(const struct fl_http_result *res, const struct fl_err *err, void *arg)
{
	struct claim *c = arg;
	struct fl_err why = { 0 };

	if (err != NULL)
		why = *err;
	else if (fl_http_result_check(res, "claim the host", &why) == 0)
		fl_err_set(&why, FL_ERR_UNAVAILABLE, "flynn-host on %s ended the claim", c->host_addr);
	if (!c->granted && why.kind != FL_ERR_CONFLICT && fl_clock_ms() < c->give_up_at) {
		fl_retry_wait(&c->retry);
		return;
	}
	if (why.kind != FL_ERR_CONFLICT)
		fl_err_wrap(&why, "cannot claim flynn-host on %s (is it running, and is -external its address?)", c->host_addr);
	c->ops->on_failed(&why, c->bootstrap);
}

static void
claim_connect(void *arg)
{
	static const char *const headers[] = { "Accept: text/event-stream", NULL };
	struct claim *c = arg;
	struct fl_http_call_opts opts = {
		.method = "POST", .url = c->url, .headers = headers, .timeout_ms = -1,
		.idle_timeout_ms = ANSWER_TIMEOUT_MS, .on_data = on_data
	};

	fl_http_client_start(c->http, &opts, on_ended, c);
}

struct claim *
claim_start(struct bootstrap *b, const char *host_addr, const struct claim_ops *ops)
{
	struct claim *c = fl_xcalloc(1, sizeof(*c));

	c->bootstrap = b;
	c->ops = ops;
	c->http = fl_http_client_new(b->base, NULL);
	c->sse = fl_sse_new(MAX_EVENT_BYTES, on_event, c);
	c->host_addr = fl_xstrdup(host_addr);
	c->url = fl_xasprintf("http://%s/host/claim", host_addr);
	c->give_up_at = fl_clock_ms() + GIVE_UP_MS;
	fl_retry_init(&c->retry, b->base, 50, 1000, claim_connect, c);
	claim_connect(c);
	return c;
}

void
claim_free(struct claim *c)
{
	if (c == NULL)
		return;
	fl_http_client_free(c->http);
	fl_retry_release(&c->retry);
	fl_sse_free(c->sse);
	free(c->host_addr);
	free(c->url);
	free(c);
}
