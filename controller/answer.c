#include "controller/answer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/http_server.h"
#include "libflynn/json.h"
#include "libflynn/log.h"

void
answer_json(struct fl_http_req *req, struct fl_buf *b)
{
	fl_http_reply_json(req, 200, b);
	fl_buf_release(b);
}

void
answer_empty(struct fl_http_req *req)
{
	fl_http_reply(req, 200, NULL, NULL, 0);
}

void
answer_not_found(struct fl_http_req *req)
{
	fl_http_reply(req, 404, NULL, NULL, 0);
}

/* Clients of 2014 print field and message of a 400, and of nothing else. */
static void
answer_400(struct fl_http_req *req, const char *field, const char *message)
{
	struct fl_buf b = { 0 };
	struct fl_jsonw w = fl_jsonw(&b);

	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_str_oe(&w, "field", field);
	fl_jsonw_str(&w, "message", message);
	fl_jsonw_close(&w, '}');
	fl_http_reply_json(req, 400, &b);
	fl_buf_release(&b);
}

void
answer_invalid(struct fl_http_req *req, const char *field, const char *fmt, ...)
{
	struct fl_err err = { 0 };
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err.msg, sizeof(err.msg), fmt, ap);
	va_end(ap);
	answer_400(req, field, err.msg);
}

void
answer_err(struct fl_http_req *req, const char *field, const struct fl_err *err)
{
	struct fl_err denied;

	switch (err->kind) {
	case FL_ERR_INVALID:
	case FL_ERR_TOO_BIG:
		answer_400(req, field, err->msg);
		return;
	case FL_ERR_NOT_FOUND:
		answer_not_found(req);
		return;
	case FL_ERR_DENIED: /* a part of ours refused our key: nothing that this client can mend */
		denied = *err;
		denied.kind = FL_ERR_SYSTEM;
		err = &denied;
		break;
	case FL_ERR_NONE:
	case FL_ERR_CONFLICT:
	case FL_ERR_TIMEOUT:
	case FL_ERR_UNAVAILABLE:
	case FL_ERR_NO_SPACE:
	case FL_ERR_SYSTEM:
	case FL_ERR_MAX:
		break;
	}
	fl_http_reply_err(req, err);
}

void
answer_unbound(struct fl_http_req *req, const char *type_error, const struct fl_err *err)
{
	struct fl_buf b = { 0 };
	struct fl_jsonw w = fl_jsonw(&b);

	fl_jsonw_open(&w, NULL, '{');
	if (err != NULL)
		fl_jsonw_str(&w, "message", err->msg);
	fl_jsonw_open(&w, "overall", '{');
	if (err != NULL)
		fl_jsonw_str(&w, "DeserializationError", err->msg);
	else
		fl_jsonw_str(&w, "ContentTypeError", type_error);
	fl_jsonw_close(&w, '}');
	fl_jsonw_open(&w, "fields", '{');
	fl_jsonw_close(&w, '}');
	fl_jsonw_close(&w, '}');
	fl_http_reply_json(req, err != NULL ? 400 : 415, &b);
	fl_buf_release(&b);
}

void
answer_refused(struct fl_http_req *req, const struct fl_err *err)
{
	static const char no_page[] = "404 page not found";

	if (err->kind == FL_ERR_DENIED)
		fl_http_reply(req, 401, NULL, NULL, 0);
	else if (err->kind == FL_ERR_NOT_FOUND)
		fl_http_reply(req, 404, "text/plain; charset=utf-8", no_page, sizeof(no_page) - 1);
	else
		answer_err(req, NULL, err);
}
