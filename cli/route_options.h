/*
 * route_options - what the commands that add and change routes can be told of one.
 */
#ifndef CLI_ROUTE_OPTIONS_H
#define CLI_ROUTE_OPTIONS_H

#include <stdbool.h>

struct fl_err;
struct fl_json;
struct fl_jsonw;

enum route_option_set {
	ROUTE_OPTIONS_TCP = 1,	 /* of TCP routes */
	ROUTE_OPTIONS_HTTP = 2,	 /* of HTTP routes */
	ROUTE_OPTIONS_NEW = 4,	 /* of new routes only */
	ROUTE_OPTIONS_CHANGE = 8 /* that take back what a route has */
};

enum route_flag { ROUTE_STICKY, ROUTE_LEADER, ROUTE_REDIRECT_HTTPS, ROUTE_MAINTENANCE, ROUTE_AUTO_TLS, ROUTE_FLAG_MAX };

/* Strings are those of argv. */
struct route_options {
	const char *service, *path, *cert_file, *key_file, *maintenance_text; /* NULL: not said */
	int port;		   /* 0: not said */
	int flags[ROUTE_FLAG_MAX]; /* 1, 0, or -1: not said */
	bool no_tls;
	bool is_given;	   /* any at all */
	bool is_http_only; /* one that a TCP route cannot have */
};

/*
 * Read the options before the operands, which begin at optind then. sets: which there are. -1 when one is unknown or has no
 * sense: the usage is to be shown.
 */
int route_options_parse(struct route_options *o, int argc, char **argv, unsigned sets);
/* Append what was said to the open object of a route's config, reading the files. */
int route_options_write(const struct route_options *o, struct fl_jsonw *w, struct fl_err *err);
/* "https:domain/path", "tcp:port"; the caller frees. */
char *route_options_name(const struct fl_json *route);
/* What a route says beside where it leads, as the options are named: "sticky,redirect-https,auto-tls:valid". The caller frees. */
char *route_options_describe(const struct fl_json *config);

#endif
