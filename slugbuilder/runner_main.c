/*
 * flynn-slugrunner: a slug in, one process of the app out.
 *
 * It is the main process of each app's container and becomes the app, so signals reach the app itself. Its
 * arguments are a command of anybody, so options count only when they stand alone.
 */
#include <curl/curl.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "libflynn/attr.h"
#include "libflynn/err.h"
#include "slugbuilder/install.h"
#include "slugbuilder/runner.h"
#include "slugbuilder/user.h"

#define EXIT_USAGE 2

static const char usage[] =
    "usage: flynn-slugrunner start TYPE | COMMAND [ARGUMENT ...]\n"
    "\n"
    "Fetch the slug of $SLUG_URL into $APP_DIR (/app) unless it is there, or read it from\n"
    "standard input without SLUG_URL; then run the process type, or the command.\n";

static const char *
env_or(const char *name, const char *def)
{
	const char *value = getenv(name);

	return value != NULL && *value != '\0' ? value : def;
}

static int
run(char *const *words, struct fl_err *err)
{
	const char *dir = env_or("APP_DIR", "/app"), *url = env_or("SLUG_URL", NULL);
	struct user u;

	umask(022);
	if (user_find(env_or("RUN_USER", "slug"), &u, err) == -1)
		return -1;
	if (!install_is_done(dir, url)) {
		curl_global_init(CURL_GLOBAL_DEFAULT);
		if (install(dir, url, &u, err) == -1)
			return fl_err_wrap(err, url != NULL ? "cannot install the slug" : "no SLUG_URL is set and standard input is no slug");
	}
	return runner_become(dir, &u, words, err);
}

int
main(int argc, char **argv)
{
	struct fl_err err = { 0 };

	setlocale(LC_CTYPE, "C.UTF-8"); /* names in archives are UTF-8 */
	if (argc < 2 || (argc == 2 && strcmp(argv[1], "-h") == 0)) {
		fputs(usage, argc < 2 ? stderr : stdout);
		return argc < 2 ? EXIT_USAGE : EXIT_SUCCESS;
	}
	if (argc == 2 && strcmp(argv[1], "-version") == 0) {
		puts("flynn-slugrunner " FL_VERSION);
		return EXIT_SUCCESS;
	}
	run(argv + 1, &err);
	fprintf(stderr, "flynn-slugrunner: %s\n", err.msg); /* read by the app's author, in the app's log */
	return EXIT_FAILURE;
}
