#include "host/services.h"

#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>

#include "host/job.h"
#include "libflynn/discoverd.h"
#include "libflynn/map.h"
#include "libflynn/xmalloc.h"

#define META_PAIRS 5
/* The longest name of a service that discoverd takes. */
#define NAME_MAX_BYTES 128

/* Who waits for goodbyes. It outlives its job, which may be gone when the last one is said. */
struct leaving {
	LIST_ENTRY(leaving) link;
	struct host *host;
	char *job_id;
	size_t left;
	void (*cb)(struct job *);
};

static char *
instance_addr(const struct job *j, size_t i)
{
	return fl_xasprintf("%s:%d", j->host->cfg->external_ip, j->active->ports[i]);
}

static void
fill_meta(const struct job *j, const char *meta[2 * META_PAIRS + 1])
{
	static const struct {
		const char *name, *key;
	} from[] = {
		{ "FLYNN_APP_ID", FL_JOB_META_APP },
		{ "FLYNN_APP_NAME", FL_JOB_META_APP_NAME },
		{ "FLYNN_RELEASE_ID", FL_JOB_META_RELEASE },
		{ "FLYNN_PROCESS_TYPE", FL_JOB_META_TYPE },
	};
	size_t n = 0;

	for (size_t i = 0; i < fl_nitems(from); i++) {
		const char *value = fl_map_get(job_spec(j)->metadata, from[i].key);

		if (value == NULL)
			continue;
		meta[n++] = from[i].name;
		meta[n++] = value;
	}
	meta[n++] = "FLYNN_JOB_ID";
	meta[n++] = job_id(j);
	meta[n] = NULL;
}

/* Tell discoverd, or take back, that an instance of that port's service is starting. */
static void
announce_port(struct job *j, size_t i, const char *const *meta)
{
	char *name = fl_xasprintf("%s%s", job_spec(j)->ports[i].service, FL_DISCOVERD_STARTING);
	char *addr = instance_addr(j, i);

	if (strlen(name) > NAME_MAX_BYTES)
		; /* discoverd would refuse it, again and again: nobody waits for that one, then */
	else if (meta != NULL)
		fl_discoverd_register(j->host->discoverd, name, addr, meta);
	else
		fl_discoverd_unregister(j->host->discoverd, name, addr, NULL, NULL);
	free(addr);
	free(name);
}

void
services_announce(struct job *j)
{
	const char *meta[2 * META_PAIRS + 1];

	fill_meta(j, meta);
	for (size_t i = 0; i < job_spec(j)->n_ports; i++)
		if (job_spec(j)->ports[i].service != NULL)
			announce_port(j, i, meta);
	j->announced = true;
}

void
services_unannounce(struct job *j)
{
	for (size_t i = 0; i < job_spec(j)->n_ports && j->announced; i++)
		if (job_spec(j)->ports[i].service != NULL)
			announce_port(j, i, NULL);
	j->announced = false;
}

void
services_register(struct job *j)
{
	const char *meta[2 * META_PAIRS + 1];

	fill_meta(j, meta);
	for (size_t i = 0; i < job_spec(j)->n_ports; i++) {
		const char *service = job_spec(j)->ports[i].service;
		char *addr = NULL;

		if (service == NULL)
			continue;
		addr = instance_addr(j, i);
		fl_discoverd_register(j->host->discoverd, service, addr, meta);
		free(addr);
	}
	j->registered = true;
	services_unannounce(j); /* behind it: whoever waits must not think that it will not come */
}

static void
leaving_free(struct leaving *l)
{
	LIST_REMOVE(l, link);
	free(l->job_id);
	free(l);
}

static void
on_left(void *arg)
{
	struct leaving *l = arg;
	struct job *j;

	if (--l->left > 0)
		return;
	if ((j = job_find(l->host, l->job_id)) != NULL)
		l->cb(j);
	leaving_free(l);
}

void
services_release(struct host *h)
{
	struct leaving *l, *next;

	LIST_FOREACH_SAFE (l, &h->leaving, link, next)
		leaving_free(l);
}

void
services_unregister(struct job *j, void (*cb)(struct job *))
{
	struct leaving *l = NULL;
	size_t n = 0;

	services_unannounce(j);
	for (size_t i = 0; i < job_spec(j)->n_ports; i++)
		n += job_spec(j)->ports[i].service != NULL;
	if (!j->registered || n == 0) {
		if (cb != NULL)
			cb(j);
		return;
	}
	j->registered = false;
	if (cb != NULL) {
		l = fl_xcalloc(1, sizeof(*l));
		*l = (struct leaving){ .host = j->host, .job_id = fl_xstrdup(job_id(j)), .left = n, .cb = cb };
		LIST_INSERT_HEAD(&j->host->leaving, l, link);
	}
	for (size_t i = 0; i < job_spec(j)->n_ports; i++) {
		const char *service = job_spec(j)->ports[i].service;
		char *addr = NULL;

		if (service == NULL)
			continue;
		addr = instance_addr(j, i);
		fl_discoverd_unregister(j->host->discoverd, service, addr, l != NULL ? on_left : NULL, l);
		free(addr);
	}
}

/* Bytes; 0: not known. */
static int64_t
machine_memory(void)
{
	struct sysinfo info;

	return sysinfo(&info) == 0 ? (int64_t)info.totalram * info.mem_unit : 0;
}

void
services_register_host(struct host *h)
{
	char *addr = fl_xasprintf("%s:%d", h->cfg->external_ip, h->cfg->http_port);
	char *memory = fl_xasprintf("%lld", (long long)machine_memory());
	const char *const meta[] = { "id", h->id, "memory", memory, NULL };

	fl_discoverd_register(h->discoverd, "flynn-host", addr, meta);
	free(addr);
	free(memory);
}
