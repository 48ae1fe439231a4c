#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "client.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/json.h"
#include "libflynn/xmalloc.h"
#include "list.h"
#include "table.h"

#define MAX_PEM_BYTES (256u << 10)

/* "https:domain", "tcp:port"; the caller frees. */
static char *
route_name(const struct fl_json *route)
{
	const struct fl_json *config = fl_json_get(route, "config");
	const char *cert = fl_json_str(fl_json_get(config, "tls_cert"), "");

	if (strcmp(fl_json_str(fl_json_get(route, "type"), ""), "tcp") == 0)
		return fl_xasprintf("tcp:%lld", (long long)fl_json_int(fl_json_get(config, "port"), 0));
	return fl_xasprintf("%s:%s", *cert != '\0' ? "https" : "http", fl_json_str(fl_json_get(config, "domain"), ""));
}

static void
print_routes(const struct fl_json *routes, FL_UNUSED const void *arg)
{
	static const char *const heads[] = { "ROUTE", "SERVICE", "ID", NULL };
	struct table *t = table_new(heads);

	for (size_t i = 0; i < fl_json_len(routes); i++) {
		const struct fl_json *r = fl_json_at(routes, i);
		char *name = route_name(r);

		table_row(t, name, fl_json_str(fl_json_get(fl_json_get(r, "config"), "service"), ""),
		    fl_json_str(fl_json_get(r, "id"), ""));
		free(name);
	}
	table_print(t);
}

int
cmd_route(struct cli *cli, int argc, FL_UNUSED char **argv)
{
	const char *app;
	struct fl_err err;

	if (argc > 1)
		return cli_usage("route");
	if ((app = cli_app(cli, &err)) == NULL)
		return cli_fail(&err);
	return list_show(cli, client_app_call(cli, "GET", app, "/routes", NULL, NULL, &err), print_routes, NULL, &err);
}

static char *
read_pem(const char *path, struct fl_err *err)
{
	FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	struct fl_buf b = { 0 };
	char chunk[4096];
	size_t n;

	if (f == NULL) {
		fl_err_sys(err, "read %s", path);
		return NULL;
	}
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0 && b.len < MAX_PEM_BYTES)
		fl_buf_add(&b, chunk, n);
	if (f != stdin)
		fclose(f);
	if (b.len < MAX_PEM_BYTES && strstr(fl_buf_cstr(&b), "-----BEGIN ") != NULL)
		return fl_buf_detach(&b);
	if (b.len < MAX_PEM_BYTES)
		fl_err_set(err, FL_ERR_INVALID, "%s is no PEM file: it has no -----BEGIN line", path);
	else
		fl_err_set(err, FL_ERR_TOO_BIG, "%s is too large: a chain of certificates has less than %u KiB", path, MAX_PEM_BYTES >> 10);
	fl_buf_release(&b);
	return NULL;
}

/* POST it; prints the id, and for TCP the port on standard error. */
static int
post_route(struct cli *cli, const char *app, const struct fl_buf *body, struct fl_err *err)
{
	struct fl_json *route = client_app_call(cli, "POST", app, "/routes", body, NULL, err);
	const struct fl_json *port = fl_json_get(fl_json_get(route, "config"), "port");
	int r = route != NULL ? 0 : -1;

	if (r == 0 && !fl_json_is_null(port))
		printf("%s listening on port %lld\n", fl_json_str(fl_json_get(route, "id"), ""), (long long)fl_json_int(port, 0));
	else if (r == 0)
		printf("%s\n", fl_json_str(fl_json_get(route, "id"), ""));
	fl_json_free(route);
	return r;
}

struct http_route {
	const char *service, *domain, *cert_file, *key_file;
	bool sticky;
};

static int
add_http(struct cli *cli, const struct http_route *r, struct fl_err *err)
{
	const char *app = cli_app(cli, err);
	char *service = NULL, *cert = NULL, *key = NULL;
	struct fl_buf body = { 0 };
	struct fl_jsonw w = fl_jsonw(&body);
	int result = -1;

	if (app == NULL)
		return -1;
	if ((r->cert_file == NULL) != (r->key_file == NULL)) {
		fl_err_set(err, FL_ERR_INVALID, "a certificate and its key come together: give both -c and -k");
		goto out;
	}
	if (r->cert_file != NULL &&
	    ((cert = read_pem(r->cert_file, err)) == NULL || (key = read_pem(r->key_file, err)) == NULL))
		goto out;
	service = r->service != NULL ? fl_xstrdup(r->service) : fl_xasprintf("%s-web", app);
	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_str(&w, "type", "http");
	fl_jsonw_open(&w, "config", '{');
	fl_jsonw_str(&w, "domain", r->domain);
	fl_jsonw_str(&w, "service", service);
	fl_jsonw_str_oe(&w, "tls_cert", cert);
	fl_jsonw_str_oe(&w, "tls_key", key);
	if (r->sticky)
		fl_jsonw_bool(&w, "sticky", true);
	fl_jsonw_close(&w, '}');
	fl_jsonw_close(&w, '}');
	result = post_route(cli, app, &body, err);
out:
	fl_buf_release(&body);
	free(service);
	free(cert);
	free(key);
	return result;
}

int
cmd_route_add_http(struct cli *cli, int argc, char **argv)
{
	static const struct option options[] = {
		{ "service", required_argument, NULL, 's' },
		{ "tls-cert", required_argument, NULL, 'c' },
		{ "tls-key", required_argument, NULL, 'k' },
		{ "sticky", no_argument, NULL, 'S' },
		{ "type", required_argument, NULL, 't' },
		{ NULL, 0, NULL, 0 },
	};
	struct http_route r = { 0 };
	struct fl_err err;
	int c;

	while ((c = getopt_long(argc, argv, "s:c:k:t:", options, NULL)) != -1) {
		switch (c) {
		case 's':
			r.service = optarg;
			break;
		case 'c':
			r.cert_file = optarg;
			break;
		case 'k':
			r.key_file = optarg;
			break;
		case 'S':
			r.sticky = true;
			break;
		case 't':
			if (strcmp(optarg, "http") == 0)
				break;
			/* FALLTHROUGH */
		default:
			return cli_usage(argv[0]);
		}
	}
	if (argc - optind != 1)
		return cli_usage(argv[0]);
	r.domain = argv[optind];
	return add_http(cli, &r, &err) == -1 ? cli_fail(&err) : 0;
}

int
cmd_route_add_tcp(struct cli *cli, int argc, char **argv)
{
	static const struct option options[] = {
		{ "service", required_argument, NULL, 's' },
		{ "port", required_argument, NULL, 'p' },
		{ NULL, 0, NULL, 0 },
	};
	const char *service = NULL, *app;
	struct fl_buf body = { 0 };
	struct fl_jsonw w = fl_jsonw(&body);
	char *own = NULL, *end;
	long port = 0;
	struct fl_err err;
	int c, r;

	while ((c = getopt_long(argc, argv, "s:p:", options, NULL)) != -1) {
		if (c == 's') {
			service = optarg;
		} else if (c == 'p') {
			port = strtol(optarg, &end, 10);
			if (*end != '\0' || port < 1 || port > 65535)
				return cli_usage("route add tcp");
		} else {
			return cli_usage("route add tcp");
		}
	}
	if (argc != optind)
		return cli_usage("route add tcp");
	if ((app = cli_app(cli, &err)) == NULL)
		return cli_fail(&err);
	if (service == NULL)
		service = own = fl_xasprintf("%s-web", app);
	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_str(&w, "type", "tcp");
	fl_jsonw_open(&w, "config", '{');
	fl_jsonw_int(&w, "port", port);
	fl_jsonw_str(&w, "service", service);
	fl_jsonw_close(&w, '}');
	fl_jsonw_close(&w, '}');
	r = post_route(cli, app, &body, &err);
	fl_buf_release(&body);
	free(own);
	return r == -1 ? cli_fail(&err) : 0;
}

int
cmd_route_remove(struct cli *cli, int argc, char **argv)
{
	struct fl_json *answer;
	const char *app;
	char *rest, *what;
	struct fl_err err;

	if (argc != 2)
		return cli_usage("route remove");
	if (argv[1][strspn(argv[1], "abcdefghijklmnopqrstuvwxyz0123456789/-")] != '\0' || strchr(argv[1], '/') == NULL) {
		fl_err_set(&err, FL_ERR_INVALID, "\"%.80s\" is no route id: flynn route lists them, as http/0123...", argv[1]);
		return cli_fail(&err);
	}
	if ((app = cli_app(cli, &err)) == NULL)
		return cli_fail(&err);
	rest = fl_xasprintf("/routes/%s", argv[1]);
	what = fl_xasprintf("route %s of app %s", argv[1], app);
	answer = client_app_call(cli, "DELETE", app, rest, NULL, what, &err);
	free(rest);
	free(what);
	if (answer == NULL)
		return cli_fail(&err);
	fl_json_free(answer);
	printf("Route %s removed.\n", argv[1]);
	return 0;
}
