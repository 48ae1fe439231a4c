/*
 * flynn-bootstrap - makes a cluster: claims a host and runs the steps of a manifest, once.
 */
#include <event2/event.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "bootstrap/bootstrap.h"
#include "libflynn/args.h"
#include "libflynn/daemon.h"
#include "libflynn/err.h"
#include "libflynn/xmalloc.h"

#define AT(field) offsetof(struct bootstrap_config, field)
static const struct fl_args_opt options[] = {
	{ "discoverd", "DISCOVERD", "127.0.0.1:1111", FL_ARGS_STR, AT(discoverd), "ip:port of discoverd on the host to claim" },
	{ "manifest", "MANIFEST", "/etc/manifest.json", FL_ARGS_STR, AT(manifest), "manifest to run; - is standard input" },
	{ "json", NULL, NULL, FL_ARGS_BOOL, AT(json), "report each step as a line of JSON on standard output" },
	{ "min-hosts", "MIN_HOSTS", "1", FL_ARGS_INT, AT(min_hosts), "wait for so many hosts before the first step" },
	{ 0 },
};

int
main(int argc, char **argv)
{
	struct event_base *base = fl_daemon_init("bootstrap");
	struct bootstrap_config cfg = { 0 };
	struct fl_args_list rest = { 0 };
	struct bootstrap *b = NULL;
	struct fl_err err = { 0 };
	int status = FL_EXIT_USAGE;

	if (fl_args_parse(options, &cfg, argc, argv, &rest, &err) == -1)
		goto out;
	if (rest.n > 1) {
		fl_err_set(&err, FL_ERR_INVALID, "one manifest at most, not %zu", rest.n);
		goto out;
	}
	if (rest.n == 1) {
		free(cfg.manifest);
		cfg.manifest = fl_xstrdup(rest.items[0]);
	}
	if ((b = bootstrap_new(base, &cfg, &err)) == NULL) {
		status = err.kind == FL_ERR_INVALID ? FL_EXIT_USAGE : FL_EXIT_FAILED;
		goto out;
	}
	event_base_dispatch(base);
	status = b->status;
out:
	if (err.kind != FL_ERR_NONE)
		fprintf(stderr, "flynn-bootstrap: %s\n", err.msg);
	bootstrap_free(b);
	fl_args_release(options, &cfg, &rest);
	fl_daemon_free(base);
	return status;
}
