#include "controller/hosts.h"

#include <stdint.h>
#include <string.h>

#include "controller/controller.h"
#include "libflynn/discoverd.h"
#include "libflynn/err.h"
#include "libflynn/json.h"
#include "libflynn/map.h"
#include "libflynn/random.h"

static const char *
id_of(const struct fl_instance *host)
{
	return host->meta != NULL ? fl_map_get(host->meta, "id") : NULL;
}

static int
check_known(const struct controller *c, struct fl_err *err)
{
	if (fl_discoverd_service_known(c->hosts))
		return 0;
	return fl_err_set(err, FL_ERR_UNAVAILABLE, "the hosts are not known yet: discoverd at %s has not told them",
	    c->cfg->discoverd);
}

const char *
hosts_addr(const struct controller *c, const char *host_id, struct fl_err *err)
{
	if (check_known(c, err) == -1)
		return NULL;
	for (size_t i = 0; i < fl_discoverd_service_count(c->hosts); i++) {
		const struct fl_instance *host = fl_discoverd_service_at(c->hosts, i);

		if (id_of(host) != NULL && strcmp(id_of(host), host_id) == 0)
			return host->addr;
	}
	fl_err_set(err, FL_ERR_NOT_FOUND, "there is no host %s", host_id);
	return NULL;
}

int
hosts_pick(const struct controller *c, const struct fl_json *n_jobs, const char **host_id, const char **addr,
    struct fl_err *err)
{
	int64_t fewest = INT64_MAX;
	uint32_t ties = 0;

	if (check_known(c, err) == -1)
		return -1;
	for (size_t i = 0; i < fl_discoverd_service_count(c->hosts); i++) {
		const struct fl_instance *host = fl_discoverd_service_at(c->hosts, i);
		int64_t n;

		if (id_of(host) == NULL)
			continue;
		n = fl_json_int(fl_json_get(n_jobs, id_of(host)), 0);
		ties = n < fewest ? 1 : ties + (n == fewest);
		if (n > fewest || (n == fewest && fl_random_below(ties) != 0))
			continue;
		fewest = n;
		*host_id = id_of(host);
		*addr = host->addr;
	}
	if (fewest == INT64_MAX)
		return fl_err_set(err, FL_ERR_UNAVAILABLE, "no host is there to run a job: start flynn-host on a machine");
	return 0;
}
