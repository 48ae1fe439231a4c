#include "controller/once.h"

#include <libpq-fe.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "controller/answer.h"
#include "controller/controller.h"
#include "libflynn/attr.h"
#include "libflynn/base64.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/log.h"
#include "libflynn/pg.h"
#include "libflynn/xmalloc.h"

#define KEY_MAX 255

struct once {
	struct controller *c;
	struct fl_http_req *req;
	fl_http_handler go;
	int status; /* of the answer, which waits until it is kept */
	char *type;
	struct fl_buf answer;
};

int
once_key(struct fl_http_req *req, const char **key)
{
	const char *given = fl_http_header(req, ONCE_HEADER);
	size_t len = given != NULL ? strlen(given) : 0, visible = 0;

	*key = given;
	if (given == NULL)
		return 0;
	while (visible < len && given[visible] >= ' ' && given[visible] <= '~')
		visible++;
	if (len > 0 && len <= KEY_MAX && visible == len)
		return 0;
	answer_invalid(req, ONCE_HEADER, "must have 1 to %d visible characters of ASCII", KEY_MAX);
	return -1;
}

/* Of bytes, which nobody has looked at yet: they may be no text. */
char *
once_request(struct fl_http_req *req)
{
	struct fl_buf b = { 0 };
	unsigned char md[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	size_t len = 0;
	const char *body = fl_http_body(req, &len);

	fl_buf_addf(&b, "%s %s\n", fl_http_method(req), fl_http_path(req));
	fl_buf_add(&b, body, len);
	if (EVP_Digest(b.data, b.len, md, &n, EVP_md5(), NULL) != 1)
		abort();
	fl_buf_release(&b);
	return fl_hex_encode(md, n);
}

bool
once_is_asked(const struct fl_http_req *req)
{
	return fl_http_header(req, ONCE_HEADER) != NULL;
}

static void
once_free(struct once *o)
{
	free(o->type);
	fl_buf_release(&o->answer);
	free(o);
}

/* It was done all the same: one that comes again will find it. */
static void
on_kept(FL_UNUSED const PGresult *res, const struct fl_err *err, void *arg)
{
	struct once *o = arg;

	if (err != NULL)
		fl_log_warn("an answer is not kept", fl_str("path", fl_http_path(o->req)), fl_str("err", err->msg));
	fl_http_reply(o->req, o->status, o->type, o->answer.data, o->answer.len);
	once_free(o);
}

/* A refusal, and nothing was done: the next one with the key begins anew. After any other failure it goes on with what was begun. */
static void
on_answer(struct fl_http_req *req, int status, const char *type, const void *data, size_t len, void *arg)
{
	struct once *o = arg;
	char *request = once_request(req);
	const char *params[] = { fl_http_header(req, ONCE_HEADER), request, NULL };

	o->status = status;
	o->type = fl_xstrdup_null(type);
	fl_buf_add(&o->answer, data, len);
	params[2] = fl_buf_cstr(&o->answer);
	if (status == 200)
		fl_pg_query(o->c->pg, "INSERT INTO answered (key, request, answer) VALUES ($1, $2, $3)"
				      " ON CONFLICT (key) DO UPDATE SET answer = excluded.answer",
		    params, 3, on_kept, o);
	else if (status < 500)
		fl_pg_query(o->c->pg, "DELETE FROM answered WHERE key = $1 AND request = $2 AND answer IS NULL", params, 2, on_kept, o);
	else
		on_kept(NULL, NULL, o);
	free(request);
}

static void
answer_again(struct fl_http_req *req, const char *answer)
{
	struct fl_buf b = { 0 };

	fl_buf_addstr(&b, answer);
	if (b.len > 0)
		answer_json(req, &b);
	else
		answer_empty(req);
	fl_buf_release(&b);
}

static void
on_noted(const PGresult *res, const struct fl_err *err, void *arg)
{
	struct once *o = arg;

	if (err == NULL && *PQgetvalue(res, 0, 0) == 't' && PQgetisnull(res, 0, 1)) {
		fl_http_on_reply(o->req, on_answer, o);
		o->go(o->req, o->c);
		return;
	}
	if (err != NULL)
		answer_err(o->req, NULL, err);
	else if (*PQgetvalue(res, 0, 0) != 't')
		answer_invalid(o->req, ONCE_HEADER, ONCE_NOT_THIS);
	else
		answer_again(o->req, PQgetvalue(res, 0, 1));
	once_free(o);
}

void
once(struct controller *c, struct fl_http_req *req, fl_http_handler go)
{
	struct once *o;
	const char *key;
	char *request;

	if (once_key(req, &key) == -1)
		return;
	if (key == NULL) {
		go(req, c);
		return;
	}
	o = fl_xcalloc(1, sizeof(*o));
	*o = (struct once){ .c = c, .req = req, .go = go };
	request = once_request(req);
	fl_pg_query(c->pg, ONCE_NOTE, (const char *[]){ key, request }, 2, on_noted, o);
	free(request);
}

struct naming {
	once_cb cb;
	void *arg;
};

static void
on_named(const PGresult *res, const struct fl_err *call_err, void *arg)
{
	struct naming *n = arg;
	struct fl_err err = { 0 };

	if (call_err != NULL)
		err = *call_err;
	else if (PQntuples(res) == 0) /* refused to another one meanwhile */
		fl_err_set(&err, FL_ERR_UNAVAILABLE, "the same request was just refused: send it again");
	n->cb(err.kind == FL_ERR_NONE ? PQgetvalue(res, 0, 0) : NULL, err.kind == FL_ERR_NONE ? NULL : &err, n->arg);
	free(n);
}

void
once_name(struct controller *c, struct fl_http_req *req, const char *proposed, once_cb cb, void *arg)
{
	struct naming *n;

	if (!once_is_asked(req)) {
		cb(proposed, NULL, arg);
		return;
	}
	n = fl_xcalloc(1, sizeof(*n));
	*n = (struct naming){ cb, arg };
	fl_pg_query(c->pg, "UPDATE answered SET name = coalesce(name, $2) WHERE key = $1 RETURNING name",
	    (const char *[]){ fl_http_header(req, ONCE_HEADER), proposed }, 2, on_named, n);
}
