#include <stddef.h>
#include <stdlib.h>

#include "host/host.h"
#include "libflynn/args.h"
#include "libflynn/daemon.h"
#include "libflynn/err.h"
#include "libflynn/log.h"

#define DRAIN_S 5

#define AT(field) offsetof(struct host_config, field)
static const struct fl_args_opt options[] = {
	{ "external", "EXTERNAL_IP", NULL, FL_ARGS_STR, AT(external_ip), "IPv4 address by which others reach this machine" },
	{ "bind", "BIND_IP", NULL, FL_ARGS_STR, AT(bind_ip), "address to publish jobs' ports on; default: all" },
	{ "force", NULL, NULL, FL_ARGS_BOOL, AT(force), "remove containers that another host or a lost one left over" },
	{ "id", "HOST_ID", NULL, FL_ARGS_STR, AT(id), "host id, of a-z and 0-9; default: the engine's name" },
	{ "manifest", "MANIFEST", "/etc/flynn-host.json", FL_ARGS_STR, AT(manifest), "layer 0; - is standard input, empty is none" },
	{ "state", "STATE", "/var/lib/flynn-host/state.json", FL_ARGS_STR, AT(state_path), "file to remember jobs in" },
	{ "docker", "DOCKER_SOCKET", "/var/run/docker.sock", FL_ARGS_STR, AT(docker_socket), "the engine's unix socket" },
	{ "http-port", "HTTP_PORT", "1113", FL_ARGS_INT, AT(http_port), "port of the API" },
	{ 0 },
};

static int
check_config(const struct host_config *cfg, struct fl_err *err)
{
	if (cfg->external_ip == NULL || *cfg->external_ip == '\0')
		return fl_err_set(err, FL_ERR_INVALID, "-external is missing: give the address by which others reach this machine");
	if (!host_is_ipv4(cfg->external_ip))
		return fl_err_set(err, FL_ERR_INVALID, "-external %s is no IPv4 address", cfg->external_ip);
	if (cfg->bind_ip != NULL && *cfg->bind_ip != '\0' && !host_is_ipv4(cfg->bind_ip))
		return fl_err_set(err, FL_ERR_INVALID, "-bind %s is no IPv4 address", cfg->bind_ip);
	if (cfg->http_port < 1 || cfg->http_port > 65535)
		return fl_err_set(err, FL_ERR_INVALID, "-http-port %d is no port", cfg->http_port);
	return 0;
}

int
main(int argc, char **argv)
{
	struct event_base *base = fl_daemon_init("host");
	struct host_config cfg = { 0 };
	struct host *h = NULL;
	struct fl_err err = { 0 };
	int status = FL_EXIT_USAGE;

	if (fl_args_parse(options, &cfg, argc, argv, NULL, &err) == -1 || check_config(&cfg, &err) == -1)
		goto out;
	status = FL_EXIT_FAILED;
	if ((h = host_new(base, &cfg, &err)) == NULL)
		goto out;
	fl_daemon_run(base, DRAIN_S, host_stop, h);
	status = host_has_failed(h) ? FL_EXIT_FAILED : EXIT_SUCCESS;
out:
	if (h == NULL)
		fl_log_error("cannot start", fl_str("err", err.msg));
	host_free(h);
	fl_args_release(options, &cfg, NULL);
	fl_daemon_free(base);
	return status;
}
