#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>

#include "gitreceive/gitreceive.h"
#include "gitreceive/listener.h"
#include "gitreceive/places.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/discoverd.h"
#include "libflynn/err.h"
#include "libflynn/http_server.h"
#include "libflynn/log.h"
#include "libflynn/xmalloc.h"

static void
write_metrics(struct fl_buf *out, void *arg)
{
	const struct gitreceive *g = arg;

	fl_buf_addf(out, "# TYPE flynn_gitreceive_sessions gauge\nflynn_gitreceive_sessions %zu\n", listener_sessions(g->listener));
}

static int
listen_http(struct gitreceive *g, struct fl_err *err)
{
	char *addr;
	int r;

	if (g->cfg->http_port == 0)
		return 0;
	addr = fl_xasprintf(":%d", g->cfg->http_port);
	g->http = fl_http_new(g->base, g->cfg->cluster_key);
	fl_http_set_metrics(g->http, write_metrics);
	r = fl_http_listen(g->http, addr, NULL, 0, g, err);
	free(addr);
	return r;
}

static int
check_config(const struct gitreceive_config *cfg, struct fl_err *err)
{
	if (cfg->cluster_key == NULL || cfg->controller_key == NULL)
		return fl_err_set(err, FL_ERR_INVALID, "CLUSTER_KEY and CONTROLLER_KEY must be set");
	if (cfg->port < 1 || cfg->port > 65535 || cfg->http_port < 0 || cfg->http_port > 65535)
		return fl_err_set(err, FL_ERR_INVALID, "-port %d or -http-port %d is no port", cfg->port, cfg->http_port);
	if (cfg->max_sessions < 1)
		return fl_err_set(err, FL_ERR_INVALID, "-max-sessions %d: nobody could push", cfg->max_sessions);
	if (cfg->idle_s < 1)
		return fl_err_set(err, FL_ERR_INVALID, "-idle-timeout %d: every push would be ended", cfg->idle_s);
	if (cfg->host_keys == NULL || *cfg->host_keys == '\0')
		return fl_err_set(err, FL_ERR_INVALID, "SSH_PRIVATE_KEYS must hold at least one private key in PEM");
	if (cfg->builder_uri == NULL || cfg->runner_uri == NULL)
		return fl_err_set(err, FL_ERR_INVALID, "SLUGBUILDER_IMAGE_URI and SLUGRUNNER_IMAGE_URI must be set");
	return 0;
}

struct gitreceive *
gitreceive_new(struct event_base *base, const struct gitreceive_config *cfg, struct fl_err *err)
{
	struct gitreceive *g;
	char idle_s[16];

	if (check_config(cfg, err) == -1)
		return NULL;
	g = fl_xcalloc(1, sizeof(*g));
	g->cfg = cfg;
	g->base = base;
	/* Sessions are programs of their own: what flags said must be in the environment for them. */
	setenv("REPOS", cfg->repos, 1);
	setenv("SESSION_USER", cfg->user, 1);
	snprintf(idle_s, sizeof(idle_s), "%d", cfg->idle_s);
	setenv("IDLE_TIMEOUT", idle_s, 1);
	g->discoverd = fl_discoverd_new(base, cfg->discoverd, cfg->cluster_key);
	g->places = places_start(g->discoverd);
	if ((g->listener = listener_start(base, cfg->port, cfg->max_sessions, g->places, err)) == NULL || listen_http(g, err) == -1) {
		gitreceive_free(g);
		return NULL;
	}
	fl_log_info("ready", fl_int("port", cfg->port));
	return g;
}

static void
on_drained(void *arg)
{
	struct gitreceive *g = arg;

	event_base_loopexit(g->base, NULL);
}

void
gitreceive_stop(void *arg)
{
	struct gitreceive *g = arg;

	listener_drain(g->listener, on_drained, g);
}

void
gitreceive_free(struct gitreceive *g)
{
	if (g == NULL)
		return;
	if (g->http != NULL)
		fl_http_free(g->http);
	listener_free(g->listener);
	places_free(g->places);
	fl_discoverd_free(g->discoverd);
	free(g);
}
