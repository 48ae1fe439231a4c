/*
 * flynn-discoverd - who runs where, who leads.
 */
#include <stdlib.h>

#include "discoverd/discoverd.h"
#include "libflynn/daemon.h"
#include "libflynn/err.h"
#include "libflynn/log.h"

enum { DRAIN_S = 5 };

#define AT(field) offsetof(struct discoverd_config, field)
static const struct fl_args_opt options[] = {
	{ "http-addr", "HTTP_ADDR", ":1111", FL_ARGS_STR, AT(http_addr), "ip:port of the API" },
	{ "dns-addr", "DNS_ADDR", NULL, FL_ARGS_LIST, AT(dns_addrs), "ip:port to answer DNS on, for containers; none: no DNS" },
	{ "recursors", "RECURSORS", NULL, FL_ARGS_LIST, AT(recursors), "name servers for other names; default: those of /etc/resolv.conf" },
	{ "etcd", "ETCD", "http://127.0.0.1:2379", FL_ARGS_STR, AT(etcd_urls), "etcd's URLs, by comma" },
	{ NULL, "CLUSTER_KEY", NULL, FL_ARGS_STR, AT(key), "what callers must know" },
	{ 0 },
};

int
main(int argc, char **argv)
{
	struct event_base *base = fl_daemon_init("discoverd");
	struct discoverd_config cfg = { 0 };
	struct discoverd *d = NULL;
	struct fl_err err = { 0 };
	int status = FL_EXIT_USAGE;

	if (fl_args_parse(options, &cfg, argc, argv, NULL, &err) == -1)
		goto out;
	if (cfg.key == NULL) {
		fl_err_set(&err, FL_ERR_INVALID, "CLUSTER_KEY is not set: without it anybody could register instances");
		goto out;
	}
	if ((d = discoverd_new(base, &cfg, &err)) == NULL)
		goto out;
	fl_log_info("ready", fl_str("http_addr", cfg.http_addr), fl_str("etcd", cfg.etcd_urls));
	fl_daemon_run(base, DRAIN_S, discoverd_stop, d);
	status = EXIT_SUCCESS;
out:
	if (err.kind != FL_ERR_NONE && err.kind != FL_ERR_INVALID)
		status = FL_EXIT_FAILED;
	if (status != EXIT_SUCCESS)
		fl_log_error("cannot start", fl_str("err", err.msg));
	discoverd_free(d);
	fl_args_release(options, &cfg, NULL);
	fl_daemon_free(base);
	return status;
}
