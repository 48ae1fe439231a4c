#include <stddef.h>
#include <stdlib.h>

#include "controller/controller.h"
#include "libflynn/args.h"
#include "libflynn/daemon.h"
#include "libflynn/err.h"
#include "libflynn/log.h"

#define DRAIN_S 10
#define READER_TIMEOUT_MAX 3600

#define AT(field) offsetof(struct controller_config, field)
static const struct fl_args_opt options[] = {
	{ "port", "PORT", "3000", FL_ARGS_STR, AT(port), "port of the API" },
	{ NULL, "AUTH_KEY", NULL, FL_ARGS_STR, AT(auth_key), "the keys that open the API, a comma list" },
	{ NULL, "CLUSTER_KEY", NULL, FL_ARGS_STR, AT(cluster_key), "the key of the cluster's own parts" },
	{ "discoverd", "DISCOVERD", "127.0.0.1:1111", FL_ARGS_STR, AT(discoverd), "ip:port of discoverd" },
	{ "postgres", "FLYNN_POSTGRES", "postgres", FL_ARGS_STR, AT(postgres), "the service whose leader is PostgreSQL" },
	{ NULL, "PGHOST", NULL, FL_ARGS_STR, AT(pg_host), "PostgreSQL's address, instead of the service" },
	{ NULL, "PGPORT", NULL, FL_ARGS_STR, AT(pg_port), "its port, with PGHOST" },
	{ NULL, "PGUSER", NULL, FL_ARGS_STR, AT(pg_user), "its user" },
	{ NULL, "PGPASSWORD", NULL, FL_ARGS_STR, AT(pg_password), "his password" },
	{ NULL, "PGDATABASE", NULL, FL_ARGS_STR, AT(pg_database), "the database" },
	{ "default-route-domain", "DEFAULT_ROUTE_DOMAIN", NULL, FL_ARGS_STR, AT(default_route_domain),
	    "give each app the route NAME.DOMAIN" },
	{ NULL, "NAME_SEED", NULL, FL_ARGS_STR, AT(name_seed), "20 hexadecimal digits that order generated names" },
	{ "reader-timeout", "READER_TIMEOUT", "60", FL_ARGS_INT, AT(reader_timeout_s),
	    "cut a reader off who takes nothing of what waits for him for so many seconds" },
	{ "keep-releases", "KEEP_RELEASES", "10", FL_ARGS_INT, AT(keep_releases),
	    "so many releases of an app are kept beside its current one" },
	{ 0 },
};

int
main(int argc, char **argv)
{
	struct event_base *base = fl_daemon_init("controller");
	struct controller_config cfg = { 0 };
	struct controller *c = NULL;
	struct fl_err err = { 0 };
	int status = FL_EXIT_USAGE;

	if (fl_args_parse(options, &cfg, argc, argv, NULL, &err) == -1)
		goto out;
	if (cfg.auth_key == NULL || *cfg.auth_key == '\0') {
		fl_err_set(&err, FL_ERR_INVALID, "AUTH_KEY is not set: it is the key that clients send");
		goto out;
	}
	if (cfg.keep_releases < 0) {
		fl_err_set(&err, FL_ERR_INVALID, "-keep-releases cannot be %d: it is a number from 0 on", cfg.keep_releases);
		goto out;
	}
	if (cfg.reader_timeout_s < 1 || cfg.reader_timeout_s > READER_TIMEOUT_MAX) {
		fl_err_set(&err, FL_ERR_INVALID, "-reader-timeout cannot be %d: it is a number of seconds from 1 to %d", cfg.reader_timeout_s,
		    READER_TIMEOUT_MAX);
		goto out;
	}
	status = FL_EXIT_FAILED;
	if ((c = controller_new(base, &cfg, &err)) == NULL)
		goto out;
	fl_daemon_run(base, DRAIN_S, controller_stop, c);
	status = EXIT_SUCCESS;
out:
	if (status != EXIT_SUCCESS)
		fl_log_error("cannot start", fl_str("err", err.msg));
	controller_free(c);
	fl_args_release(options, &cfg, NULL);
	fl_daemon_free(base);
	return status;
}
