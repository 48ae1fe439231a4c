/*
 * hosts - the hosts of the cluster, as discoverd knows them.
 */
#ifndef CONTROLLER_HOSTS_H
#define CONTROLLER_HOSTS_H

struct controller;
struct fl_err;
struct fl_json;

#define HOSTS_SERVICE "flynn-host"

/* The address of a host, borrowed until the loop runs again; NULL: NOT_FOUND, or UNAVAILABLE while hosts are not known. */
const char *hosts_addr(const struct controller *c, const char *host_id, struct fl_err *err);

/*
 * The host with the fewest jobs, by an object of host id and number of jobs; its id and address, borrowed until
 * the loop runs again. -1: UNAVAILABLE.
 */
int hosts_pick(const struct controller *c, const struct fl_json *n_jobs, const char **host_id, const char **addr,
    struct fl_err *err);

#endif
