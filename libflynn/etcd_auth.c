/*
 * etcd_auth - a token for root, whose password is the cluster key; and etcd's authentication turned on with it.
 *
 * Any number of daemons may do this at once on a new etcd: every step of the set-up may find itself done already
 * by another, so only the authentication that follows judges.
 */
#include <stdlib.h>
#include <string.h>

#include "libflynn/attr.h"
#include "libflynn/err.h"
#include "libflynn/etcd_internal.h"
#include "libflynn/http_client.h"
#include "libflynn/json.h"
#include "libflynn/log.h"
#include "libflynn/xmalloc.h"

#define TIMEOUT_MS 5000
#define CONNECT_TIMEOUT_MS 2000
#define MAX_ROUNDS 3

enum step { AUTHENTICATE, ADD_USER, SET_PASSWORD, ADD_ROLE, GRANT, ENABLE, STEP_MAX };

static const struct {
	const char *path;
	const char *name, *role; /* members of the body, "name" or "user" by step */
	bool password;
} steps[STEP_MAX] = {
	[AUTHENTICATE] = { "/v3/auth/authenticate", "name", NULL, true },
	[ADD_USER] = { "/v3/auth/user/add", "name", NULL, true },
	[SET_PASSWORD] = { "/v3/auth/user/changepw", "name", NULL, true },
	[ADD_ROLE] = { "/v3/auth/role/add", "name", NULL, false },
	[GRANT] = { "/v3/auth/user/grant", "user", "role", false },
	[ENABLE] = { "/v3/auth/enable", NULL, NULL, false },
};

static void
on_step(const struct fl_http_result *res, const struct fl_err *err, void *arg);

static void
do_step(struct fl_etcd *e, enum step step)
{
	char *url = fl_xasprintf("%s%s", e->urls[e->at], steps[step].path);
	struct fl_buf body = { 0 };
	struct fl_jsonw w = fl_jsonw(&body);
	struct fl_http_call_opts opts = {
		.method = "POST", .url = url, .timeout_ms = TIMEOUT_MS, .connect_timeout_ms = CONNECT_TIMEOUT_MS
	};

	fl_jsonw_open(&w, NULL, '{');
	if (steps[step].name != NULL)
		fl_jsonw_str(&w, steps[step].name, "root");
	if (steps[step].role != NULL)
		fl_jsonw_str(&w, steps[step].role, "root");
	if (steps[step].password)
		fl_jsonw_str(&w, "password", e->key);
	fl_jsonw_close(&w, '}');
	opts.body = body.data;
	opts.body_len = body.len;
	e->auth_step = (int)step;
	e->auth_call = fl_http_client_start(e->http, &opts, on_step, e);
	fl_buf_release(&body);
	free(url);
}

/* Authenticated, or not: a token, a set-up to do first, or the end. */
static void
on_authenticated(struct fl_etcd *e, int status, const struct fl_json *json)
{
	const char *token = fl_json_str(fl_json_get(json, "token"), NULL);
	const char *message = fl_json_str(fl_json_get(json, "message"), fl_json_text(json, "error"));
	struct fl_err why = { 0 };

	if (status == 200 && token != NULL) {
		free(e->token);
		e->token = fl_xstrdup(token);
		etcd_auth_done(e, NULL);
	} else if (strstr(message, "authentication is not enabled") != NULL && e->auth_tries++ < MAX_ROUNDS) {
		do_step(e, ADD_USER);
	} else {
		etcd_err(status, message, &why);
		fl_err_wrap(&why, "authenticate with the cluster key");
		etcd_auth_done(e, &why);
	}
}

static void
on_step(const struct fl_http_result *res, const struct fl_err *err, void *arg)
{
	struct fl_etcd *e = arg;
	struct fl_err why = { 0 };
	struct fl_json *json;

	e->auth_call = NULL;
	if (err != NULL) {
		etcd_next_url(e);
		if (++e->auth_tries < (int)e->n_urls) {
			do_step(e, AUTHENTICATE);
			return;
		}
		why = *err;
		why.kind = FL_ERR_UNAVAILABLE;
		etcd_auth_done(e, &why);
		return;
	}
	if (e->auth_step == AUTHENTICATE) {
		json = fl_json_parse(res->body, res->len, NULL);
		on_authenticated(e, res->status, json);
		fl_json_free(json);
		return;
	}
	if (e->auth_step == ENABLE && res->status == 200)
		fl_log_info("turned on etcd's authentication");
	if (e->auth_step == ADD_USER && res->status == 200)
		do_step(e, ADD_ROLE); /* else it is there, from a set-up that did not end: its password may be another */
	else
		do_step(e, (enum step)((e->auth_step + 1) % STEP_MAX));
}

void
etcd_auth_start(struct fl_etcd *e)
{
	e->auth_tries = 0;
	do_step(e, AUTHENTICATE);
}
