#include "host/claim.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "host/engine.h"
#include "host/host.h"
#include "host/launcher.h"
#include "host/manifest.h"
#include "host/state.h"
#include "host/wipe.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/http_server.h"
#include "libflynn/json.h"
#include "libflynn/log.h"
#include "libflynn/xmalloc.h"

/* Less than bootstrap's patience, so that it hears why. */
#define LAYER0_WAIT_S 45

enum claim_status { CLAIM_NONE, CLAIM_HELD, CLAIM_COMPLETE, CLAIM_STATUS_MAX };

static const char *const names[CLAIM_STATUS_MAX] = { "none", "held", "complete" };

struct claim {
	struct host *host;
	enum claim_status status;
	struct fl_http_req *req; /* of the bootstrap that holds it; NULL: nobody */
	bool answered, gone;
	struct wipe *wipe;
	struct event *late;
};

struct claim *
claim_new(struct host *h)
{
	struct claim *c = fl_xcalloc(1, sizeof(*c));

	c->host = h;
	return c;
}

void
claim_free(struct claim *c)
{
	if (c == NULL)
		return;
	wipe_cancel(c->wipe);
	if (c->late != NULL)
		event_free(c->late);
	free(c);
}

const char *
claim_name(const struct claim *c)
{
	return names[c->status];
}

void
claim_set(struct claim *c, const char *name)
{
	for (int i = 0; i < CLAIM_STATUS_MAX; i++)
		if (strcmp(names[i], name) == 0)
			c->status = (enum claim_status)i;
}

bool
claim_is_complete(const struct claim *c)
{
	return c->status == CLAIM_COMPLETE;
}

/* ---- the answer ---- */

static void
claim_refuse(struct claim *c, const struct fl_err *err)
{
	struct fl_http_req *req = c->req;

	c->req = NULL;
	if (c->late != NULL)
		event_del(c->late);
	fl_http_on_close(req, NULL, NULL);
	fl_http_reply_err(req, err);
}

static void
claim_grant(struct claim *c)
{
	struct host *h = c->host;
	struct fl_buf text = { 0 };
	struct fl_jsonw w = fl_jsonw(&text);
	struct fl_err err = { 0 };

	/* Written down first: a key that was handed out is never handed out again unwiped. */
	c->status = CLAIM_HELD;
	state_touch(h->state);
	if (state_flush(h->state, &err) == -1) {
		c->status = CLAIM_NONE;
		claim_refuse(c, &err);
		return;
	}
	event_del(c->late);
	c->answered = true;
	fl_http_sse_start(c->req);
	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_str(&w, "key", h->key);
	fl_jsonw_str(&w, "host_id", h->id);
	fl_jsonw_str(&w, "external_ip", h->cfg->external_ip);
	fl_jsonw_close(&w, '}');
	fl_http_sse_send(c->req, NULL, NULL, fl_buf_cstr(&text));
	fl_buf_release(&text);
	fl_log_info("claimed by a bootstrap", fl_str("peer", fl_http_peer(c->req)));
}

void
claim_look(struct claim *c)
{
	struct fl_err err = { 0 };

	if (c->req == NULL || c->answered || c->wipe != NULL)
		return;
	if (c->gone) {
		fl_err_set(&err, FL_ERR_UNAVAILABLE, "the bootstrap that asked has gone");
		claim_refuse(c, &err);
	} else if (manifest_is_up(c->host, NULL)) {
		claim_grant(c);
	}
}

static void
on_late(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct claim *c = arg;
	struct fl_err err = { 0 };
	struct fl_buf why = { 0 };

	manifest_is_up(c->host, &why);
	fl_err_set(&err, FL_ERR_UNAVAILABLE, "layer 0 did not come up within %d s: %s", LAYER0_WAIT_S,
	    c->wipe != NULL ? "the former cluster is still being removed" : fl_buf_cstr(&why));
	fl_buf_release(&why);
	claim_refuse(c, &err);
}

static void
on_wiped(const struct fl_err *wipe_err, void *arg)
{
	struct claim *c = arg;
	struct fl_err err = { 0 };

	c->wipe = NULL;
	if (wipe_err != NULL) {
		fl_log_error("cannot remove what the last bootstrap left", fl_str("err", wipe_err->msg));
		if (c->req != NULL)
			claim_refuse(c, wipe_err);
		return;
	}
	c->status = CLAIM_NONE;
	if (manifest_apply(c->host, &err) == -1 && c->req != NULL) {
		claim_refuse(c, &err);
		return;
	}
	launcher_open(c->host->launcher); /* one after the other again */
	claim_look(c);
}

/* ---- the request ---- */

static void
on_close(FL_UNUSED struct fl_http_req *req, void *arg)
{
	struct claim *c = arg;

	if (!c->answered) {
		c->gone = true; /* it is still ours to answer */
		return;
	}
	c->req = NULL;
	if (c->status != CLAIM_COMPLETE)
		fl_log_warn("the bootstrap went away before its cluster was complete: its claim is void");
}

static int
claim_check(struct claim *c, struct fl_err *err)
{
	if (c->status == CLAIM_COMPLETE)
		return fl_err_set(err, FL_ERR_CONFLICT,
		    "this host belongs to a cluster already: use the flynn server-add line that its bootstrap printed, or remove the cluster (make destroy) before you make another");
	if (c->req != NULL && !c->gone)
		return fl_err_set(err, FL_ERR_CONFLICT, "this host is just being made a cluster by another bootstrap: wait until that has ended");
	return host_check_ready(c->host, err);
}

void
claim_request(struct claim *c, struct fl_http_req *req)
{
	static const struct timeval limit = { LAYER0_WAIT_S, 0 };
	struct fl_err err = { 0 };

	claim_look(c); /* lets go of one that has gone */
	if (claim_check(c, &err) == -1) {
		fl_http_reply_err(req, &err);
		return;
	}
	if (c->req != NULL) { /* gone, while its wipe goes on */
		fl_err_set(&err, FL_ERR_UNAVAILABLE, "the bootstrap that asked has gone");
		claim_refuse(c, &err);
	}
	c->req = req;
	c->answered = c->gone = false;
	fl_http_on_close(req, on_close, c);
	if (c->late == NULL)
		c->late = event_new(c->host->base, -1, 0, on_late, c);
	event_add(c->late, &limit);
	if (c->status == CLAIM_HELD && c->wipe == NULL) {
		fl_log_warn("removing what a bootstrap left that did not complete");
		c->wipe = wipe_start(c->host, on_wiped, c);
	}
	claim_look(c);
}

/* A mark at the engine, for a host that lost its state: whose jobs it then finds belong to a cluster. */
static void
mark_complete(struct host *h)
{
	struct engine_call call = { .method = "POST" };
	char *body = fl_xasprintf("{\"Name\":\"flynn-%s.claim\",\"Labels\":{\"" HOST_LABEL "\":\"%s\",\"" HOST_LABEL_CLAIM "\":\"complete\"}}",
	    h->id, h->id);

	call.body = body;
	engine_forget(h->engine, &call, "/volumes/create");
	free(body);
}

int
claim_complete(struct claim *c, struct fl_err *err)
{
	if (c->status == CLAIM_COMPLETE)
		return 0;
	if (c->status != CLAIM_HELD || c->req == NULL || !c->answered)
		return fl_err_set(err, FL_ERR_CONFLICT, "nobody holds a claim of this host: start bootstrap again");
	c->status = CLAIM_COMPLETE;
	state_touch(c->host->state);
	if (state_flush(c->host->state, err) == -1) {
		c->status = CLAIM_HELD;
		return -1;
	}
	mark_complete(c->host);
	fl_log_info("the cluster is complete");
	return 0;
}
