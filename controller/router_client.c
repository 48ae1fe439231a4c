#include "controller/router_client.h"

#include <stdlib.h>
#include <string.h>

#include "controller/controller.h"
#include "libflynn/discoverd.h"
#include "libflynn/err.h"
#include "libflynn/http_client.h"
#include "libflynn/json.h"
#include "libflynn/xmalloc.h"

#define FIND_MS 2000
#define CALL_MS 5000

struct call {
	struct controller *c;
	char *method, *path, *body;
	router_cb cb;
	void *arg;
};

static void
call_end(struct call *call, const struct fl_json *body, const char *field, const struct fl_err *err)
{
	call->cb(body, field, err, call->arg);
	free(call->method);
	free(call->path);
	free(call->body);
	free(call);
}

static void
on_answer(const struct fl_http_result *res, const struct fl_err *err, void *arg)
{
	struct call *call = arg;
	struct fl_json *body = err == NULL ? fl_json_parse(res->body, res->len, NULL) : NULL;
	const char *field = NULL, *message = fl_json_str(fl_json_get(body, "message"), NULL);
	struct fl_err why = { 0 };

	if (err != NULL) {
		why = *err;
		why.kind = FL_ERR_UNAVAILABLE;
		fl_err_wrap(&why, "the router does not answer");
	} else if (fl_http_result_check(res, "the router", &why) == -1) {
		field = fl_json_str(fl_json_get(body, "field"), NULL);
		if (message != NULL) /* the client need not know whose sentence it is */
			fl_err_set(&why, why.kind, "%s", message);
	}
	call_end(call, body, field, why.kind == FL_ERR_NONE ? NULL : &why);
	fl_json_free(body);
}

static void
on_found(const char *addr, const struct fl_err *err, void *arg)
{
	struct call *call = arg;
	struct fl_http_call_opts opts = { .method = call->method, .timeout_ms = CALL_MS };
	struct fl_err why = { 0 };
	char *url;

	if (err != NULL) {
		fl_err_set(&why, FL_ERR_UNAVAILABLE, "no router is there: %s", err->msg);
		call_end(call, NULL, NULL, &why);
		return;
	}
	url = fl_xasprintf("http://%s%s", addr, call->path);
	opts.url = url;
	opts.body = call->body;
	opts.body_len = call->body != NULL ? strlen(call->body) : 0;
	fl_http_client_start(call->c->client, &opts, on_answer, call);
	free(url);
}

void
router_call(struct controller *c, const char *method, const char *path, const char *body, router_cb cb, void *arg)
{
	struct call *call = fl_xcalloc(1, sizeof(*call));

	*call = (struct call){ c, fl_xstrdup(method), fl_xstrdup(path), fl_xstrdup_null(body), cb, arg };
	fl_discoverd_find(c->discoverd, ROUTER_SERVICE, FIND_MS, on_found, call);
}
