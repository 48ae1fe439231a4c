/*
 * flynn - the command on the developer's machine.
 */
#include <curl/curl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "config.h"
#include "libflynn/attr.h"
#include "words.h"

/* Options before the command. Returns how many words they are, or -1. */
static int
global_options(struct cli *cli, int argc, char **argv)
{
	int i = 1;

	while (i < argc && argv[i][0] == '-') {
		if (strcmp(argv[i], "--json") == 0) {
			cli->json = true;
			i++;
		} else if ((strcmp(argv[i], "-a") == 0 || strcmp(argv[i], "-c") == 0) && i + 1 < argc) {
			*(argv[i][1] == 'a' ? &cli->app_arg : &cli->cluster_arg) = argv[i + 1];
			i += 2;
		} else {
			return -1;
		}
	}
	return i;
}

static int
run_command(struct cli *cli, int argc, char **argv)
{
	const struct command *c;
	struct fl_err err;
	int used;

	if ((c = words_find(argc, argv, &used, &err)) == NULL) {
		cli_fail(&err);
		return CLI_EXIT_USAGE;
	}
	argv += used - 1;
	argc -= used - 1;
	argv[0] = (char *)c->name;
	if ((cli->config = config_read(&err)) == NULL)
		return cli_fail(&err);
	return c->run(cli, argc, argv);
}

int
main(int argc, char **argv)
{
	static char *help[] = { (char *)"help", NULL };
	struct cli cli = { 0 };
	int first, status;

	signal(SIGPIPE, SIG_IGN);
	curl_global_init(CURL_GLOBAL_DEFAULT);
	first = global_options(&cli, argc, argv);
	if (first == -1 && (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0)) {
		status = cmd_help(&cli, 1, help);
	} else if (first == -1 && (strcmp(argv[1], "-version") == 0 || strcmp(argv[1], "--version") == 0)) {
		status = cmd_version(&cli, 1, help);
	} else if (first == -1 || first == argc) {
		fprintf(stderr, "usage: flynn [-a APP] [-c CLUSTER] [--json] COMMAND [ARGUMENT ...]\n       flynn help\n");
		status = CLI_EXIT_USAGE;
	} else {
		status = run_command(&cli, argc - first, argv + first);
	}
	config_free(cli.config);
	free(cli.app);
	curl_global_cleanup();
	return status;
}
