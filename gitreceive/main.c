/*
 * flynn-gitreceive - takes git push, builds and deploys it.
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "gitreceive/gitreceive.h"
#include "libflynn/args.h"
#include "libflynn/daemon.h"
#include "libflynn/err.h"
#include "libflynn/log.h"

/* A build under way gets so long to end before a stop ends it. */
#define DRAIN_S 8

#define AT(field) offsetof(struct gitreceive_config, field)
static const struct fl_args_opt options[] = {
	{ "port", "PORT", "22", FL_ARGS_INT, AT(port), "port of SSH" },
	{ "http-port", "PORT_1", NULL, FL_ARGS_INT, AT(http_port), "port of ping and metrics" },
	{ "discoverd", "DISCOVERD", "127.0.0.1:1111", FL_ARGS_STR, AT(discoverd), "ip:port of discoverd" },
	{ "repos", "REPOS", "/var/lib/flynn-gitreceive", FL_ARGS_STR, AT(repos), "directory of the repositories" },
	{ "user", "SESSION_USER", "git", FL_ARGS_STR, AT(user), "whom the process of a connection becomes" },
	{ "max-sessions", "MAX_SESSIONS", "64", FL_ARGS_INT, AT(max_sessions), "connections at once" },
	{ "idle-timeout", "IDLE_TIMEOUT", "900", FL_ARGS_INT, AT(idle_s), "seconds that a client may be silent in the middle of a push" },
	{ NULL, "SSH_PRIVATE_KEYS", NULL, FL_ARGS_STR, AT(host_keys), "host keys, PEM blocks one after another" },
	{ NULL, "CLUSTER_KEY", NULL, FL_ARGS_STR, AT(cluster_key), "key of discoverd, hosts and shelf" },
	{ NULL, "CONTROLLER_KEY", NULL, FL_ARGS_STR, AT(controller_key), "key of the controller" },
	{ NULL, "SLUGBUILDER_IMAGE_URI", NULL, FL_ARGS_STR, AT(builder_uri), "image that builds" },
	{ NULL, "SLUGRUNNER_IMAGE_URI", NULL, FL_ARGS_STR, AT(runner_uri), "image that runs what was built" },
	{ 0 },
};

static int
daemon_main(int argc, char **argv)
{
	struct event_base *base = fl_daemon_init("gitreceive");
	struct gitreceive_config cfg = { 0 };
	struct gitreceive *g = NULL;
	struct fl_err err = { 0 };
	int status = FL_EXIT_USAGE;

	if (fl_args_parse(options, &cfg, argc, argv, NULL, &err) == -1)
		goto out;
	if ((g = gitreceive_new(base, &cfg, &err)) == NULL) {
		status = err.kind == FL_ERR_INVALID ? FL_EXIT_USAGE : FL_EXIT_FAILED;
		goto out;
	}
	fl_daemon_run(base, DRAIN_S, gitreceive_stop, g);
	status = EXIT_SUCCESS;
out:
	if (status != EXIT_SUCCESS)
		fl_log_error("cannot start", fl_str("err", err.msg));
	gitreceive_free(g);
	fl_args_release(options, &cfg, NULL);
	fl_daemon_free(base);
	return status;
}

int
main(int argc, char **argv)
{
	const char *name = strrchr(argv[0], '/') != NULL ? strrchr(argv[0], '/') + 1 : argv[0];

	/* git runs its hook by a link of that name. */
	if (strcmp(name, "pre-receive") == 0)
		return hook_main();
	if (argc == 2 && strcmp(argv[1], "session") == 0)
		return session_main();
	return daemon_main(argc, argv);
}
