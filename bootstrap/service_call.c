#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "bootstrap/bootstrap.h"
#include "bootstrap/service_call.h"
#include "bootstrap/step.h"
#include "libflynn/discoverd.h"
#include "libflynn/err.h"
#include "libflynn/http_client.h"
#include "libflynn/list.h"
#include "libflynn/xmalloc.h"

#define FIND_TIMEOUT_MS 30000

struct service_call {
	LIST_ENTRY(service_call) link;
	struct step *step;
	char *method, *path, *key, *body;
	char *service; /* NULL: path is a whole URL */
	service_call_cb cb;
};

static void
call_free(struct service_call *c)
{
	LIST_REMOVE(c, link);
	free(c->method);
	free(c->path);
	free(c->key);
	free(c->body);
	free(c->service);
	free(c);
}

static void
on_answer(const struct fl_http_result *res, const struct fl_err *err, void *arg)
{
	struct service_call *c = arg;
	struct step *s = c->step;
	service_call_cb cb = c->cb;

	call_free(c);
	cb(s, res, err);
}

static void
call_send(struct service_call *c, const char *url)
{
	struct fl_http_call_opts opts = {
		.method = c->method, .url = url, .key = c->key,
		.body = c->body, .body_len = c->body != NULL ? strlen(c->body) : 0
	};

	fl_http_client_start(c->step->bootstrap->http, &opts, on_answer, c);
}

static void
on_found(const char *addr, const struct fl_err *err, void *arg)
{
	struct service_call *c = arg;
	char *url;

	if (err != NULL) {
		on_answer(NULL, err, c);
		return;
	}
	url = fl_xasprintf("http://%s%s", addr, c->path);
	call_send(c, url);
	free(url);
}

/* Sets c->service and c->path when the URL's host is a service. */
static void
call_set_url(struct service_call *c, const char *url)
{
	static const char by_scheme[] = "discoverd+http://", plain[] = "http://", suffix[] = ".discoverd";
	bool is_service = strncmp(url, by_scheme, strlen(by_scheme)) == 0, is_plain = strncmp(url, plain, strlen(plain)) == 0;
	const char *host = url + (is_service ? strlen(by_scheme) : is_plain ? strlen(plain) : 0);
	size_t len = strcspn(host, "/"), name_len = len;

	if (is_plain && len > strlen(suffix) && strncmp(host + len - strlen(suffix), suffix, strlen(suffix)) == 0) {
		is_service = true;
		name_len = len - strlen(suffix);
	}
	c->service = is_service ? fl_xstrndup(host, name_len) : NULL;
	c->path = fl_xstrdup(is_service ? host + len : url);
}

void
service_call(struct step *s, const char *method, const char *url, const char *key, const char *body, service_call_cb cb)
{
	struct service_call *c = fl_xcalloc(1, sizeof(*c));

	LIST_INSERT_HEAD(&s->bootstrap->calls, c, link);
	c->step = s;
	c->method = fl_xstrdup(method);
	c->key = fl_xstrdup_null(key);
	c->body = fl_xstrdup_null(body);
	c->cb = cb;
	call_set_url(c, url);
	if (c->service != NULL)
		fl_discoverd_find(s->bootstrap->discoverd, c->service, FIND_TIMEOUT_MS, on_found, c);
	else
		call_send(c, c->path);
}

void
controller_call(struct step *s, const char *method, const char *path, const char *body, service_call_cb cb)
{
	char *url = fl_xasprintf("discoverd+http://controller%s", path);

	service_call(s, method, url, s->bootstrap->controller_key, body, cb);
	free(url);
}

void
service_calls_free(struct bootstrap *b)
{
	struct service_call *c, *next;

	LIST_FOREACH_SAFE(c, &b->calls, link, next)
		call_free(c);
}
