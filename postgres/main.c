/*
 * flynn-postgres - the database appliance: PostgreSQL, and an API that makes databases in it.
 */
#include <stddef.h>
#include <stdlib.h>

#include "libflynn/args.h"
#include "libflynn/daemon.h"
#include "libflynn/err.h"
#include "libflynn/log.h"
#include "postgres/postgres.h"

/* A fast shutdown writes a checkpoint: give it longer than a daemon without data. */
#define DRAIN_S 60

#define AT(field) offsetof(struct postgres_config, field)
static const struct fl_args_opt options[] = {
	{ "data", "DATA", "/data", FL_ARGS_STR, AT(data), "directory that holds the databases" },
	{ "socket-dir", "SOCKET_DIR", "/var/run/postgresql", FL_ARGS_STR, AT(socket_dir), "directory of the unix socket" },
	{ "service", "FLYNN_POSTGRES", "postgres", FL_ARGS_STR, AT(service), "name the server is registered under" },
	{ "port", "PORT_0", NULL, FL_ARGS_INT, AT(port), "port of PostgreSQL" },
	{ "api-port", "PORT_1", NULL, FL_ARGS_INT, AT(api_port), "port of the API" },
	{ NULL, "CLUSTER_KEY", NULL, FL_ARGS_STR, AT(key), "key that callers of the API must send" },
	{ 0 },
};

int
main(int argc, char **argv)
{
	struct event_base *base = fl_daemon_init("postgres");
	struct postgres_config cfg = { 0 };
	struct postgres *p = NULL;
	struct fl_err err = { 0 };
	int status = FL_EXIT_USAGE;

	if (fl_args_parse(options, &cfg, argc, argv, NULL, &err) == -1)
		goto out;
	if ((p = postgres_new(base, &cfg, &err)) == NULL)
		goto out;
	fl_daemon_run(base, DRAIN_S, postgres_stop, p);
	status = p->status;
out:
	if (err.kind != FL_ERR_NONE)
		fl_log_error("cannot start", fl_str("err", err.msg));
	postgres_free(p);
	fl_args_release(options, &cfg, NULL);
	fl_daemon_free(base);
	return status;
}
