#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gitreceive/places.h"
#include "libflynn/attr.h"
#include "libflynn/discoverd.h"
#include "libflynn/map.h"
#include "libflynn/random.h"
#include "libflynn/xmalloc.h"

struct places {
	struct fl_discoverd_service *controller, *shelf, *hosts;
};

struct places *
places_start(struct fl_discoverd *d)
{
	struct places *p = fl_xcalloc(1, sizeof(*p));

	p->controller = fl_discoverd_watch(d, "controller", NULL, NULL);
	p->shelf = fl_discoverd_watch(d, "shelf", NULL, NULL);
	p->hosts = fl_discoverd_watch(d, "flynn-host", NULL, NULL);
	return p;
}

void
places_free(struct places *p)
{
	if (p == NULL)
		return;
	fl_discoverd_unwatch(p->controller);
	fl_discoverd_unwatch(p->shelf);
	fl_discoverd_unwatch(p->hosts);
	free(p);
}

static char *
leader_var(const char *name, const struct fl_discoverd_service *s)
{
	const struct fl_instance *leader = fl_discoverd_service_leader(s);

	return leader != NULL ? fl_xasprintf("%s=%s", name, leader->addr) : NULL;
}

static char *
host_var(const struct fl_discoverd_service *hosts)
{
	size_t n = fl_discoverd_service_count(hosts);
	const struct fl_instance *host = n > 0 ? fl_discoverd_service_at(hosts, fl_random_below((uint32_t)n)) : NULL;
	const char *id = host != NULL && host->meta != NULL ? fl_map_get(host->meta, "id") : NULL;

	return id != NULL ? fl_xasprintf("FLYNN_HOST=%s %s", id, host->addr) : NULL;
}

char **
places_env(const struct places *p)
{
	char *vars[] = {
		leader_var("FLYNN_CONTROLLER", p->controller),
		leader_var("FLYNN_SHELF", p->shelf),
		host_var(p->hosts),
	};
	size_t n = 0, ours = 0;
	char **env;

	while (environ[ours] != NULL)
		ours++;
	env = fl_xcalloc(ours + fl_nitems(vars) + 1, sizeof(*env));
	for (size_t i = 0; i < ours; i++)
		env[n++] = fl_xstrdup(environ[i]);
	for (size_t i = 0; i < fl_nitems(vars); i++)
		if (vars[i] != NULL)
			env[n++] = vars[i];
	return env;
}

void
places_env_free(char **env)
{
	for (size_t i = 0; env[i] != NULL; i++)
		free(env[i]);
	free(env);
}
