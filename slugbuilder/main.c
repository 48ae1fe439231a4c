/* flynn-slugbuilder: a source tar in, a slug out. */
#include <curl/curl.h>
#include <locale.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "libflynn/args.h"
#include "libflynn/err.h"
#include "libflynn/log.h"
#include "slugbuilder/slugbuilder.h"
#include "slugbuilder/version_pick.h"

#define EXIT_USAGE 2

#define AT(field) offsetof(struct slugbuilder_config, field)
static const struct fl_args_opt options[] = {
	{ "o", NULL, NULL, FL_ARGS_STR, AT(output), "write the slug to this file (without SLUG_PUT_URL)" },
	{ "app", "APP_DIR", "/app", FL_ARGS_STR, AT(app_dir), "directory to build in; empty or absent" },
	{ "work", "WORK_DIR", "/tmp/slugbuilder", FL_ARGS_STR, AT(work_dir), "directory for cache and configuration" },
	{ "buildpacks", "BUILDPACKS_DIR", "/usr/share/flynn/buildpacks", FL_ARGS_STR, AT(buildpacks_dir), "buildpacks to try, by name" },
	{ "user", "BUILD_USER", "slug", FL_ARGS_STR, AT(user), "user that buildpacks run as" },
	{ "stack", "STACK", "heroku-22", FL_ARGS_STR, AT(stack), "name that buildpacks know this system by" },
	{ "timeout", "BUILD_TIMEOUT", "3600", FL_ARGS_INT, AT(timeout_s), "seconds that one program of a buildpack may run" },
	{ NULL, "SLUG_PUT_URL", NULL, FL_ARGS_STR, AT(slug_put_url), "signed URL to PUT the slug to" },
	{ NULL, "CACHE_GET_URL", NULL, FL_ARGS_STR, AT(cache_get_url), "signed URL of the build cache" },
	{ NULL, "CACHE_PUT_URL", NULL, FL_ARGS_STR, AT(cache_put_url), "signed URL to PUT the build cache to" },
	{ NULL, "BUILD_ENV", NULL, FL_ARGS_STR, AT(build_env), "the app's config variables, a JSON object" },
	{ NULL, "BUILDPACK_URL", NULL, FL_ARGS_STR, AT(buildpack_url), "git URL of a buildpack, or URL#TREEISH" },
	{ 0 },
};

int
main(int argc, char **argv)
{
	struct slugbuilder_config cfg = { 0 };
	struct fl_err err = { 0 };
	int status = EXIT_FAILURE;

	fl_log_init("slugbuilder");
	setlocale(LC_CTYPE, "C.UTF-8"); /* names in archives are UTF-8 */
	if (argc > 1 && strcmp(argv[1], "semver-pick") == 0)
		return version_pick(argc - 1, argv + 1);
	if (fl_args_parse(options, &cfg, argc, argv, NULL, &err) == -1) {
		fl_log_error("cannot start", fl_str("err", err.msg));
		status = EXIT_USAGE;
		goto out;
	}
	if (cfg.slug_put_url == NULL && cfg.output == NULL) {
		fl_log_error("cannot start", fl_str("err", "there is nowhere to put the slug: set SLUG_PUT_URL, or give -o FILE"));
		status = EXIT_USAGE;
		goto out;
	}
	curl_global_init(CURL_GLOBAL_DEFAULT);
	if (build(&cfg) == 0)
		status = EXIT_SUCCESS;
	curl_global_cleanup();
out:
	fl_args_release(options, &cfg, NULL);
	return status;
}
