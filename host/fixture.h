/*
 * fixture - a host without engine or network, for unit tests of what needs jobs. Its functions are in each test that
 * includes it.
 */
#ifndef HOST_FIXTURE_H
#define HOST_FIXTURE_H

#include <stdlib.h>
#include <string.h>

#include "host/feed.h"
#include "host/host.h"
#include "host/job.h"
#include "host/launcher.h"
#include "host/ports.h"
#include "host/state.h"
#include "libflynn/json.h"
#include "libflynn/xmalloc.h"

struct fixture {
	struct host host;
	struct host_config cfg;
};

static inline int
fixture_setup(void **state)
{
	struct fixture *f = fl_xcalloc(1, sizeof(*f));

	f->cfg.external_ip = fl_xstrdup("192.0.2.7");
	f->host.cfg = &f->cfg;
	f->host.base = event_base_new();
	f->host.id = fl_xstrdup("h1");
	f->host.key = fl_xstrdup("secret");
	f->host.bridge_ip = fl_xstrdup("172.17.0.1");
	TAILQ_INIT(&f->host.jobs);
	LIST_INIT(&f->host.waiting);
	LIST_INIT(&f->host.leaving);
	f->host.ports = ports_new();
	f->host.launcher = launcher_new(&f->host);
	f->host.feed = feed_new(&f->host);
	f->cfg.state_path = fl_xstrdup("/nonexistent/state.json"); /* it is touched, but nobody runs the loop to write it */
	f->host.state = state_load(&f->host, NULL);
	*state = f;
	return 0;
}

static inline int
fixture_teardown(void **state)
{
	struct fixture *f = *state;

	while (!TAILQ_EMPTY(&f->host.jobs))
		job_free(TAILQ_FIRST(&f->host.jobs));
	launcher_free(f->host.launcher);
	feed_free(f->host.feed);
	state_free(f->host.state);
	ports_free(f->host.ports);
	event_base_free(f->host.base);
	free(f->host.id);
	free(f->host.key);
	free(f->host.bridge_ip);
	free(f->cfg.external_ip);
	free(f->cfg.state_path);
	free(f);
	return 0;
}

/* A job of that number, its other members as JSON: "\"system\":true". */
static inline struct job *
fixture_job(struct fixture *f, int n, const char *members)
{
	char *text = fl_xasprintf("{\"id\":\"h1-%032x\",\"artifact\":{\"uri\":\"docker:///flynn/x\"}%s%s}", (unsigned)n,
	    *members != '\0' ? "," : "", members);
	struct fl_json *v = fl_json_parse(text, strlen(text), NULL);
	struct fl_job *spec = fl_job_parse(v, NULL);

	assert_non_null(spec);
	fl_json_free(v);
	free(text);
	return job_new(&f->host, job_active_of(&f->host, spec, 1000000 + n));
}

#endif
