#include <stdlib.h>
#include <string.h>

#include "gitreceive/cluster.h"
#include "libflynn/err.h"
#include "libflynn/http_client.h"
#include "libflynn/xmalloc.h"

#define CALL_MS 20000
#define IDLE_S 900

void
cluster_read(struct cluster *c)
{
	const char *host = getenv("FLYNN_HOST"), *idle = getenv("IDLE_TIMEOUT");
	size_t len = host != NULL ? strcspn(host, " ") : 0;

	*c = (struct cluster){
		.controller = getenv("FLYNN_CONTROLLER"), .shelf = getenv("FLYNN_SHELF"),
		.cluster_key = getenv("CLUSTER_KEY"), .controller_key = getenv("CONTROLLER_KEY"),
		.builder_uri = getenv("SLUGBUILDER_IMAGE_URI"), .runner_uri = getenv("SLUGRUNNER_IMAGE_URI"),
		.repos = getenv("REPOS"), .idle_s = idle != NULL ? atoi(idle) : IDLE_S
	};
	if (host != NULL && host[len] == ' ') {
		c->host_id = fl_xstrndup(host, len);
		c->host = fl_xstrdup(host + len + 1);
	}
}

void
cluster_release(struct cluster *c)
{
	free(c->host_id);
	free(c->host);
}

struct fl_json *
cluster_call(const struct cluster *c, const char *method, const char *path, const char *body, struct fl_err *err)
{
	struct fl_http_call_opts opts = {
		.method = method, .key = c->controller_key, .body = body,
		.body_len = body != NULL ? strlen(body) : 0, .timeout_ms = CALL_MS
	};
	struct fl_json *answer;
	char *url;

	if (c->controller == NULL) {
		fl_err_set(err, FL_ERR_UNAVAILABLE, "the controller is away just now");
		return NULL;
	}
	opts.url = url = fl_xasprintf("http://%s%s", c->controller, path);
	answer = fl_http_fetch_json(&opts, "the controller", err);
	free(url);
	return answer;
}
