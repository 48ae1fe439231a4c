#include "host/identify.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <event2/event.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/engine.h"
#include "host/host.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/http_client.h"
#include "libflynn/json.h"
#include "libflynn/log.h"
#include "libflynn/xmalloc.h"

#define MAX_ID 32
#define RETRY_S 2

struct identify {
	struct host *host;
	struct fl_http_call *call;
	void (*ask)(struct identify *i); /* the question under way */
	struct event *again;
	char hostname[HOST_NAME_MAX + 1];
	void (*cb)(struct host *);
};

char *
identify_id(const char *name)
{
	struct fl_buf id = { 0 };

	for (; *name != '\0' && id.len < MAX_ID; name++)
		if (isalnum((unsigned char)*name) && isascii((unsigned char)*name))
			fl_buf_addc(&id, (char)tolower((unsigned char)*name));
	if (id.len == 0)
		fl_buf_addstr(&id, "host");
	return fl_buf_detach(&id);
}

char *
identify_first_address(const char *subnet)
{
	char *ip = fl_xstrndup(subnet, strcspn(subnet, "/")), text[INET_ADDRSTRLEN];
	struct in_addr addr;
	char *first = NULL;

	if (inet_pton(AF_INET, ip, &addr) == 1) {
		addr.s_addr = htonl(ntohl(addr.s_addr) + 1);
		first = fl_xstrdup(inet_ntop(AF_INET, &addr, text, sizeof(text)));
	}
	free(ip);
	return first;
}

void
identify_cancel(struct identify *i)
{
	if (i == NULL)
		return;
	if (i->call != NULL)
		fl_http_call_cancel(i->call);
	event_free(i->again);
	free(i);
}

static void
ask(struct identify *i, void (*question)(struct identify *i))
{
	i->ask = question;
	question(i);
}

static void
on_again(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct identify *i = arg;

	i->ask(i);
}

/* What we guessed instead would stay: an engine that is just going away comes back with all that is ours. */
static void
ask_again(struct identify *i)
{
	static const struct timeval retry = { RETRY_S, 0 };

	evtimer_add(i->again, &retry);
}

static void
identify_end(struct identify *i)
{
	struct host *h = i->host;
	void (*cb)(struct host *) = i->cb;

	identify_cancel(i);
	cb(h);
}

/* The answer as JSON. NULL, and a line in the log, when it is none; err says whether the engine was silent. */
static struct fl_json *
parse_answer(struct identify *i, const struct fl_http_result *res, const struct fl_err *call_err, const char *what, struct fl_err *err)
{
	struct fl_json *v = NULL;

	i->call = NULL;
	if (engine_check(i->host->engine, res, call_err, what, err) == 0)
		v = fl_json_parse(res->body, res->len, err);
	if (v == NULL)
		fl_log_warn("the engine did not tell", fl_str("what", what), fl_str("err", err->msg));
	return v;
}

/* ---- ourselves ---- */

static void
on_updated(const struct fl_http_result *res, const struct fl_err *call_err, void *arg)
{
	struct identify *i = arg;
	struct fl_err err = { 0 };

	i->call = NULL;
	if (engine_check(i->host->engine, res, call_err, "set our restart policy", &err) == -1)
		fl_log_warn("the engine will not start this container again by itself: use docker run --restart=unless-stopped",
		    fl_str("err", err.msg));
	identify_end(i);
}

static void
on_self(const struct fl_http_result *res, const struct fl_err *call_err, void *arg)
{
	static const struct engine_call call = { .method = "POST", .body = "{\"RestartPolicy\":{\"Name\":\"unless-stopped\"}}" };
	struct identify *i = arg;
	struct host *h = i->host;
	struct fl_json *v = call_err == NULL && res->status == 200 ? engine_parse(res, NULL) : NULL;
	const char *hostname = fl_json_text(fl_json_get(v, "Config"), "Hostname");
	bool running = fl_json_bool(fl_json_get(fl_json_get(v, "State"), "Running"), false);

	i->call = NULL;
	if (call_err != NULL) {
		ask_again(i);
		return;
	}
	/* A name that happens to be a container's, on a machine that runs us plainly, is not ours. */
	if (!running || strcmp(hostname, i->hostname) != 0) {
		fl_json_free(v);
		identify_end(i);
		return;
	}
	free(h->self_id);
	h->self_id = fl_xstrdup(fl_json_str(fl_json_get(v, "Id"), i->hostname));
	fl_json_free(v);
	i->call = engine_start(h->engine, &call, on_updated, i, "/containers/%s/update", h->self_id);
}

static void
ask_self(struct identify *i)
{
	i->call = engine_inspect(i->host->engine, i->hostname, on_self, i);
}

/* ---- the bridge ---- */

static void
on_bridge(const struct fl_http_result *res, const struct fl_err *call_err, void *arg)
{
	struct identify *i = arg;
	struct host *h = i->host;
	struct fl_err err = { 0 };
	struct fl_json *v = parse_answer(i, res, call_err, "the address of its bridge", &err);
	const struct fl_json *config = fl_json_get(fl_json_get(v, "IPAM"), "Config");

	if (err.kind == FL_ERR_UNAVAILABLE) {
		ask_again(i);
		return;
	}
	free(h->bridge_ip);
	h->bridge_ip = NULL;
	for (size_t k = 0; k < fl_json_len(config) && h->bridge_ip == NULL; k++) {
		const struct fl_json *c = fl_json_at(config, k);
		const char *gateway = fl_json_str(fl_json_get(c, "Gateway"), NULL);

		/* Not all engines name it before the first container is there. */
		if (gateway != NULL && strchr(gateway, ':') == NULL)
			h->bridge_ip = fl_xstrndup(gateway, strcspn(gateway, "/"));
		else if (gateway == NULL)
			h->bridge_ip = identify_first_address(fl_json_text(c, "Subnet"));
	}
	fl_json_free(v);
	ask(i, ask_self);
}

static void
ask_bridge(struct identify *i)
{
	i->call = engine_start(i->host->engine, NULL, on_bridge, i, "/networks/bridge");
}

/* ---- the engine ---- */

static void
on_info(const struct fl_http_result *res, const struct fl_err *call_err, void *arg)
{
	struct identify *i = arg;
	struct host *h = i->host;
	struct fl_err err = { 0 };
	struct fl_json *v = parse_answer(i, res, call_err, "its name", &err);

	if (v == NULL && h->id == NULL) {
		ask_again(i);
		return;
	}
	if (h->id == NULL)
		h->id = identify_id(fl_json_text(v, "Name"));
	fl_json_free(v);
	ask(i, ask_bridge);
}

static void
ask_info(struct identify *i)
{
	i->call = engine_start(i->host->engine, NULL, on_info, i, "/info");
}

struct identify *
identify_start(struct host *h, void (*cb)(struct host *))
{
	struct identify *i = fl_xcalloc(1, sizeof(*i));

	i->host = h;
	i->cb = cb;
	gethostname(i->hostname, sizeof(i->hostname) - 1);
	i->again = evtimer_new(h->base, on_again, i);
	ask(i, ask_info);
	return i;
}
