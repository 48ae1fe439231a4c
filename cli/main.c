/*
 * flynn - the command on the developer's machine.
 */
#include <curl/curl.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/config.h"
#include "cli/words.h"
#include "libflynn/attr.h"

/* Options before the command. Returns how many words they are, or minus the place of one that is none. */
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
			return -i;
		}
	}
	return i;
}

static bool
is_one_of(const char *word, const char *a, const char *b)
{
	return strcmp(word, a) == 0 || strcmp(word, b) == 0;
}

/* Those that list take --json among their own options, too. Returns how many words are left. */
static int
take_json(struct cli *cli, const struct command *c, int argc, char **argv)
{
	int n = 0;

	if (strstr(c->args, "[--json]") == NULL)
		return argc;
	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0)
			cli->json = true;
		else
			argv[n++] = argv[i];
	}
	argv[n] = NULL;
	return n;
}

static int
run_command(struct cli *cli, int argc, char **argv)
{
	char *help[] = { (char *)"help", NULL, NULL };
	const struct command *c;
	struct fl_err err;
	int used;

	if ((c = words_find(argc, argv, &used, &err)) == NULL) {
		cli_fail(&err);
		return CLI_EXIT_USAGE;
	}
	argv += used - 1;
	argc -= used - 1;
	argv[0] = help[1] = (char *)c->name;
	if (argc == 2 && is_one_of(argv[1], "-h", "--help"))
		return cmd_help(cli, 2, help);
	if ((cli->config = config_read(&err)) == NULL)
		return cli_fail(&err);
	argc = take_json(cli, c, argc, argv);
	return c->run(cli, argc, argv);
}

static int
run(struct cli *cli, int argc, char **argv)
{
	int first = global_options(cli, argc, argv);
	struct fl_err err;

	if (first < 0 && is_one_of(argv[-first], "-h", "--help"))
		return cmd_help(cli, 1, argv);
	if (first < 0 && is_one_of(argv[-first], "-version", "--version"))
		return cmd_version(cli, 1, argv);
	if (first > 0 && first < argc)
		return run_command(cli, argc - first, argv + first);
	if (first < 0 && is_one_of(argv[-first], "-a", "-c"))
		fl_err_set(&err, FL_ERR_INVALID, "%s wants a name behind it", argv[-first]);
	else if (first < 0)
		fl_err_set(&err, FL_ERR_INVALID, "there is no option \"%s\" in front of a command: a command's own stand behind it", argv[-first]);
	if (first < 0)
		cli_fail(&err);
	fprintf(stderr, "usage: flynn [-a APP] [-c CLUSTER] [--json] COMMAND [ARGUMENT ...]\n       flynn help\n");
	return CLI_EXIT_USAGE;
}

/* As head(1) does when it has seen enough. */
static bool
reader_has_gone(void)
{
	struct pollfd out = { STDOUT_FILENO, POLLOUT, 0 };

	return poll(&out, 1, 0) == 1 && (out.revents & POLLERR) != 0;
}

/* What did not reach its place is no success. */
static int
end_output(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	if (!reader_has_gone())
		fprintf(stderr, "flynn: standard output did not take all of it: is the disk full?\n");
	return status != 0 ? status : CLI_EXIT_FAILED;
}

/* The number of one that is closed would be the next socket's: our output went there, and we read from it what is not for us. */
static void
hold_standard_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDONLY); /* to write to it fails, as it did */
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int
main(int argc, char **argv)
{
	struct cli cli = { 0 };
	int status;

	hold_standard_descriptors();
	signal(SIGPIPE, SIG_IGN);
	curl_global_init(CURL_GLOBAL_DEFAULT);
	status = end_output(run(&cli, argc, argv));
	config_free(cli.config);
	free(cli.app);
	curl_global_cleanup();
	return status;
}
