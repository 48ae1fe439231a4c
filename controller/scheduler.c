#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "controller/scheduler.h"
#include "controller/scheduler_act.h"
#include "controller/scheduler_decide.h"
#include "controller/scheduler_formations.h"
#include "controller/scheduler_hosts.h"
#include "controller/scheduler_record.h"
#include "controller/scheduler_stale.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/clock.h"
#include "libflynn/discoverd.h"
#include "libflynn/err.h"
#include "libflynn/http_client.h"
#include "libflynn/http_server.h"
#include "libflynn/log.h"
#include "libflynn/map.h"
#include "libflynn/xmalloc.h"

#define MAX_WAKE_MS 60000

void
scheduler_look_in(struct scheduler *s, int64_t ms)
{
	struct timeval tv;

	if (ms > MAX_WAKE_MS)
		ms = MAX_WAKE_MS;
	tv = (struct timeval){ ms / 1000, (ms % 1000) * 1000 };
	evtimer_add(s->wake, &tv);
}

static void
look(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct scheduler *s = arg;
	struct sched_plan plan;
	int64_t now = fl_clock_ms();

	if (!s->leader || !formations_known(s->formations))
		return;
	if (!hosts_known(s->hosts)) {
		scheduler_look_in(s, 1000); /* a host that stays silent is given up some time */
		return;
	}
	stale_look(s->stale);
	decide(&s->world, now, &plan);
	act(s, &plan);
	if (plan.wake_at != 0)
		scheduler_look_in(s, plan.wake_at > now ? plan.wake_at - now : 0);
	sched_plan_release(&plan);
}

void
scheduler_look_again(struct scheduler *s)
{
	event_active(s->look, EV_TIMEOUT, 0);
}

static void
on_peers_changed(struct fl_discoverd_service *service, void *arg)
{
	struct scheduler *s = arg;
	const struct fl_instance *leader = fl_discoverd_service_leader(service);
	bool leads = leader != NULL && strcmp(leader->addr, s->self) == 0;

	if (leads == s->leader)
		return;
	/* Without any leader in sight the last one goes on: a registry that forgot us must not stop the cluster. */
	if (leader == NULL)
		return;
	s->leader = leads;
	fl_log_info(leads ? "leading" : "following", fl_str("leader", leader->addr));
	if (leads) {
		hosts_record_all(s->hosts);
		stale_suspect(s->stale);
	} else {
		records_forget(s->records);
	}
	scheduler_look_again(s);
}

static void
write_metrics(struct fl_buf *out, void *arg)
{
	const struct scheduler *s = arg;
	const struct job *j;
	int jobs = 0;

	TAILQ_FOREACH(j, &s->world.jobs, link)
		jobs++;
	fl_buf_addf(out,
	    "# TYPE flynn_scheduler_leader gauge\nflynn_scheduler_leader %d\n"
	    "# TYPE flynn_scheduler_formations gauge\nflynn_scheduler_formations %zu\n"
	    "# TYPE flynn_scheduler_hosts gauge\nflynn_scheduler_hosts %zu\n"
	    "# TYPE flynn_scheduler_jobs gauge\nflynn_scheduler_jobs %d\n",
	    s->leader, fl_map_count(s->world.formations), fl_map_count(s->world.hosts), jobs);
}

static int
scheduler_listen(struct scheduler *s, struct fl_err *err)
{
	char *addr = fl_xasprintf(":%d", s->cfg->port);
	int r;

	s->http = fl_http_new(s->base, s->cfg->cluster_key);
	fl_http_set_metrics(s->http, write_metrics);
	r = fl_http_listen(s->http, addr, NULL, 0, s, err);
	free(addr);
	return r;
}

static int
check_config(const struct scheduler_config *cfg, struct fl_err *err)
{
	if (cfg->cluster_key == NULL || cfg->auth_key == NULL)
		return fl_err_set(err, FL_ERR_INVALID, "CLUSTER_KEY and AUTH_KEY must be set");
	if (cfg->external_ip == NULL || cfg->port < 1 || cfg->port > 65535)
		return fl_err_set(err, FL_ERR_INVALID, "EXTERNAL_IP and PORT must be set: by them we find ourselves in our service");
	return 0;
}

/* AUTH_KEY is the controller's own: it takes any of those with commas between them. */
static struct fl_http_client *
controller_client(struct event_base *base, const char *auth_key)
{
	char *first = fl_xstrndup(auth_key, strcspn(auth_key, ","));
	struct fl_http_client *c = fl_http_client_new(base, first);

	free(first);
	return c;
}

struct scheduler *
scheduler_new(struct event_base *base, const struct scheduler_config *cfg, struct fl_err *err)
{
	struct scheduler *s;

	if (check_config(cfg, err) == -1)
		return NULL;
	s = fl_xcalloc(1, sizeof(*s));
	s->cfg = cfg;
	s->base = base;
	world_init(&s->world);
	s->self = fl_xasprintf("%s:%d", cfg->external_ip, cfg->port);
	s->look = event_new(base, -1, 0, look, s);
	s->wake = evtimer_new(base, look, s);
	s->discoverd = fl_discoverd_new(base, cfg->discoverd, cfg->cluster_key);
	s->hosts_http = fl_http_client_new(base, cfg->cluster_key);
	s->controller_http = controller_client(base, cfg->auth_key);
	s->records = records_new(s);
	s->stale = stale_new(s);
	s->formations = formations_start(s);
	s->hosts = hosts_start(s);
	s->peers = fl_discoverd_watch(s->discoverd, cfg->service, on_peers_changed, s);
	if (scheduler_listen(s, err) == -1) {
		scheduler_free(s);
		return NULL;
	}
	fl_log_info("ready", fl_str("addr", s->self));
	return s;
}

static void
on_drained(void *arg)
{
	struct scheduler *s = arg;

	event_base_loopexit(s->base, NULL);
}

void
scheduler_stop(void *arg)
{
	struct scheduler *s = arg;

	fl_http_drain(s->http, on_drained, s);
}

void
scheduler_free(struct scheduler *s)
{
	if (s == NULL)
		return;
	fl_http_free(s->http);
	fl_discoverd_unwatch(s->peers);
	hosts_free(s->hosts);
	formations_free(s->formations);
	stale_free(s->stale);
	records_free(s->records);
	fl_http_client_free(s->hosts_http);
	fl_http_client_free(s->controller_http);
	fl_discoverd_free(s->discoverd);
	event_free(s->look);
	event_free(s->wake);
	world_release(&s->world);
	free(s->self);
	free(s);
}
