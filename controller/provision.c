#include "controller/provision.h"

#include <stdlib.h>
#include <string.h>

#include "controller/body.h"
#include "controller/controller.h"
#include "libflynn/discoverd.h"
#include "libflynn/err.h"
#include "libflynn/http_client.h"
#include "libflynn/json.h"
#include "libflynn/url.h"
#include "libflynn/xmalloc.h"

#define DISCOVERD_SCHEME "discoverd+http"
#define DISCOVERD_DOMAIN ".discoverd"
#define FIND_MS 5000
#define CALL_MS 30000

struct call {
	struct controller *c;
	const char *method;
	char *service, *path, *url;
	char *config; /* NULL: there is none to send */
	void (*cb)(const struct fl_json *resource, const struct fl_err *err, void *arg);
	void *arg;
};

/* The service that a URL names; NULL: an address. The caller frees. */
static char *
service_of(const struct fl_url *url)
{
	size_t len = strlen(url->host), domain_len = strlen(DISCOVERD_DOMAIN);

	if (strcmp(url->scheme, DISCOVERD_SCHEME) == 0)
		return fl_xstrdup(url->host);
	if (len > domain_len && strcmp(url->host + len - domain_len, DISCOVERD_DOMAIN) == 0)
		return fl_xstrndup(url->host, len - domain_len);
	return NULL;
}

int
provision_check_url(const char *url, struct fl_err *err)
{
	struct fl_url u;
	int ok = 0;

	if (fl_url_parse(url, &u, NULL) == -1)
		return fl_err_set(err, FL_ERR_INVALID, "\"%.200s\" is no URL", url);
	if (strcmp(u.scheme, DISCOVERD_SCHEME) != 0 && strcmp(u.scheme, "http") != 0)
		ok = fl_err_set(err, FL_ERR_INVALID, "\"%.200s\" has another scheme than http or " DISCOVERD_SCHEME, url);
	fl_url_release(&u);
	return ok;
}

static void
call_end(struct call *call, const struct fl_json *resource, const struct fl_err *err)
{
	call->cb(resource, err, call->arg);
	free(call->service);
	free(call->path);
	free(call->config);
	free(call->url);
	free(call);
}

static int
check_resource(const struct fl_json *v, struct fl_err *err)
{
	const char *id = fl_json_text(v, "id");
	struct fl_err why = { 0 };

	if (*id == '\0')
		return fl_err_set(err, FL_ERR_SYSTEM, "the provider answered without the id of a resource");
	if (body_check_strings(fl_json_get(v, "env"), "env", &why) == -1)
		return fl_err_set(err, FL_ERR_SYSTEM, "the provider answered wrongly: %s", why.msg);
	return 0;
}

/* One that is not there any more is given back, too. */
static int
check_given_back(const struct fl_http_result *res, struct fl_err *err)
{
	if (res->status == 404 || fl_http_result_check(res, "the provider refused", err) == 0)
		return 0;
	return fl_err_wrap(err, "the provider did not take the resource back");
}

static void
on_answer(const struct fl_http_result *res, const struct fl_err *err, void *arg)
{
	struct call *call = arg;
	struct fl_json *v = NULL;
	struct fl_err why = { 0 };

	if (err != NULL) {
		fl_err_set(&why, FL_ERR_UNAVAILABLE, "the provider at %s does not answer: %s", call->url, err->msg);
	} else if (call->config == NULL) {
		check_given_back(res, &why);
	} else if (fl_http_result_check(res, "the provider refused", &why) == -1) {
		if (why.kind == FL_ERR_NOT_FOUND) /* the provider's URL is wrong, not the client's */
			why.kind = FL_ERR_SYSTEM;
		fl_err_wrap(&why, "the provider at %s made no resource", call->url);
	} else if ((v = fl_json_parse(res->body, res->len, &why)) == NULL) {
		why.kind = FL_ERR_SYSTEM;
		fl_err_wrap(&why, "the provider at %s answered no JSON", call->url);
	} else {
		check_resource(v, &why);
	}
	call_end(call, why.kind == FL_ERR_NONE ? v : NULL, why.kind == FL_ERR_NONE ? NULL : &why);
	fl_json_free(v);
}

/* Making a database takes as long as it takes: nothing is tried twice. */
static void
call_start(struct call *call)
{
	struct fl_http_call_opts opts = { .method = call->method, .url = call->url, .timeout_ms = CALL_MS, .body = call->config,
		.body_len = call->config != NULL ? strlen(call->config) : 0 };

	if (call->service == NULL)
		opts.key = "";
	fl_http_client_start(call->c->client, &opts, on_answer, call);
}

static void
on_found(const char *addr, const struct fl_err *err, void *arg)
{
	struct call *call = arg;
	struct fl_err why = { 0 };

	if (err != NULL) {
		fl_err_set(&why, FL_ERR_UNAVAILABLE, "no instance of the provider's service %s is there: %s",
		    call->service, err->msg);
		call_end(call, NULL, &why);
		return;
	}
	call->url = fl_xasprintf("http://%s%s", addr, call->path);
	call_start(call);
}

/* Takes call over. */
static void
call_url(struct call *call, const char *url)
{
	struct fl_url u = { 0 };

	if (fl_url_parse(url, &u, NULL) == 0) {
		call->service = service_of(&u);
		call->path = fl_xstrdup(u.path);
	}
	fl_url_release(&u);
	if (call->service != NULL) {
		fl_discoverd_find(call->c->discoverd, call->service, FIND_MS, on_found, call);
	} else {
		call->url = fl_xstrdup(url);
		call_start(call);
	}
}

void
provision(struct controller *c, const char *url, const char *config,
    void (*cb)(const struct fl_json *resource, const struct fl_err *err, void *arg), void *arg)
{
	struct call *call = fl_xcalloc(1, sizeof(*call));

	*call = (struct call){ .c = c, .method = "POST", .config = fl_xstrdup(config), .cb = cb, .arg = arg };
	call_url(call, url);
}

void
provision_take_back(struct controller *c, const char *url, const char *external_id,
    void (*cb)(const struct fl_json *none, const struct fl_err *err, void *arg), void *arg)
{
	struct call *call = fl_xcalloc(1, sizeof(*call));
	char *id = fl_url_encode(external_id), *whole = fl_xasprintf("%s%cid=%s", url, strchr(url, '?') != NULL ? '&' : '?', id);

	*call = (struct call){ .c = c, .method = "DELETE", .cb = cb, .arg = arg };
	call_url(call, whole);
	free(id);
	free(whole);
}
