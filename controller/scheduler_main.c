/*
 * flynn-scheduler - keeps every formation true.
 */
#include <stddef.h>
#include <stdlib.h>

#include "controller/scheduler.h"
#include "libflynn/args.h"
#include "libflynn/daemon.h"
#include "libflynn/err.h"
#include "libflynn/log.h"

#define DRAIN_S 5

#define AT(field) offsetof(struct scheduler_config, field)
static const struct fl_args_opt options[] = {
	{ "discoverd", "DISCOVERD", "127.0.0.1:1111", FL_ARGS_STR, AT(discoverd), "ip:port of discoverd" },
	{ "external-ip", "EXTERNAL_IP", NULL, FL_ARGS_STR, AT(external_ip), "our address as host registers it" },
	{ "port", "PORT", NULL, FL_ARGS_INT, AT(port), "port of ping and metrics, as host registers it" },
	{ "service", "SERVICE", "controller-scheduler", FL_ARGS_STR, AT(service), "service whose leader acts" },
	{ NULL, "CLUSTER_KEY", NULL, FL_ARGS_STR, AT(cluster_key), "key of hosts and discoverd" },
	{ NULL, "AUTH_KEY", NULL, FL_ARGS_STR, AT(auth_key), "key of the controller" },
	{ 0 },
};

int
main(int argc, char **argv)
{
	struct event_base *base = fl_daemon_init("scheduler");
	struct scheduler_config cfg = { 0 };
	struct scheduler *s = NULL;
	struct fl_err err = { 0 };
	int status = FL_EXIT_USAGE;

	if (fl_args_parse(options, &cfg, argc, argv, NULL, &err) == -1)
		goto out;
	if ((s = scheduler_new(base, &cfg, &err)) == NULL) {
		status = err.kind == FL_ERR_INVALID ? FL_EXIT_USAGE : FL_EXIT_FAILED;
		goto out;
	}
	fl_daemon_run(base, DRAIN_S, scheduler_stop, s);
	status = EXIT_SUCCESS;
out:
	if (status != EXIT_SUCCESS)
		fl_log_error("cannot start", fl_str("err", err.msg));
	scheduler_free(s);
	fl_args_release(options, &cfg, NULL);
	fl_daemon_free(base);
	return status;
}
