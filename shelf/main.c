/*
 * flynn-shelf - a blob store: slugs and caches, by HTTP.
 */
#include <stdlib.h>

#include "libflynn/args.h"
#include "libflynn/daemon.h"
#include "libflynn/err.h"
#include "libflynn/log.h"
#include "shelf/shelf.h"

enum { DRAIN_S = 30 }; /* a large upload deserves its end */

#define AT(field) offsetof(struct shelf_config, field)
static const struct fl_args_opt options[] = {
	{ "http-addr", "HTTP_ADDR", NULL, FL_ARGS_STR, AT(http_addr), "ip:port to listen on; default: every address at the port" },
	{ "port", "PORT", "1112", FL_ARGS_INT, AT(port), "port to listen on" },
	{ "dir", "STORAGE_DIR", "/data", FL_ARGS_STR, AT(dir), "folder that holds the blobs" },
	{ "max-size", "MAX_SIZE", NULL, FL_ARGS_STR, AT(max_size), "largest blob, in bytes, K, M or G; default: as the disk allows" },
	{ NULL, "CLUSTER_KEY", NULL, FL_ARGS_STR, AT(key), "what callers must know, if their URL is not signed with it" },
	{ 0 },
};

int
main(int argc, char **argv)
{
	struct event_base *base = fl_daemon_init("shelf");
	struct shelf_config cfg = { 0 };
	struct shelf *s = NULL;
	struct fl_err err = { 0 };
	int status = FL_EXIT_USAGE;

	if (fl_args_parse(options, &cfg, argc, argv, NULL, &err) == -1)
		goto out;
	if (cfg.key == NULL) {
		fl_err_set(&err, FL_ERR_INVALID, "CLUSTER_KEY is not set: without it anybody could read and write blobs");
		goto out;
	}
	if ((s = shelf_new(base, &cfg, &err)) == NULL)
		goto out;
	fl_daemon_run(base, DRAIN_S, shelf_stop, s);
	status = EXIT_SUCCESS;
out:
	if (err.kind != FL_ERR_NONE && err.kind != FL_ERR_INVALID)
		status = FL_EXIT_FAILED;
	if (status != EXIT_SUCCESS)
		fl_log_error("cannot start", fl_str("err", err.msg));
	shelf_free(s);
	fl_args_release(options, &cfg, NULL);
	fl_daemon_free(base);
	return status;
}
