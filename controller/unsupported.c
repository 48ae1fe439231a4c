#include "controller/unsupported.h"

#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/http_server.h"
#include "libflynn/json.h"

static void
answer(struct fl_http_req *req, const char *message)
{
	struct fl_buf b = { 0 };
	struct fl_jsonw w = fl_jsonw(&b);

	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_str(&w, "code", "not_implemented");
	fl_jsonw_str(&w, "message", message);
	fl_jsonw_close(&w, '}');
	fl_http_reply_json(req, 501, &b);
	fl_buf_release(&b);
}

void
unsupported_backup(struct fl_http_req *req, FL_UNUSED void *arg)
{
	answer(req, "the controller makes no backups: a cluster's state is in the volumes of etcd, postgres and shelf, "
		    "so stop its host and copy these");
}

void
unsupported_domain(struct fl_http_req *req, FL_UNUSED void *arg)
{
	answer(req, "a cluster keeps the domain that it was bootstrapped with: add routes of the new domain to its apps");
}

void
unsupported_sinks(struct fl_http_req *req, FL_UNUSED void *arg)
{
	answer(req, "the controller forwards no logs: follow them with GET /apps/:app/log?follow=true");
}
