#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/client.h"
#include "cli/list.h"
#include "cli/route_options.h"
#include "cli/table.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/json.h"
#include "libflynn/xmalloc.h"

static void
print_routes(const struct fl_json *routes, FL_UNUSED const void *arg)
{
	static const char *const heads[] = { "ROUTE", "SERVICE", "ID", "OPTIONS", NULL };
	struct table *t = table_new(heads);

	for (size_t i = 0; i < fl_json_len(routes); i++) {
		const struct fl_json *r = fl_json_at(routes, i);
		const struct fl_json *config = fl_json_get(r, "config");
		char *name = route_options_name(r), *options = route_options_describe(config);

		table_row(t, name, fl_json_text(config, "service"), fl_json_text(r, "id"), options);
		free(name);
		free(options);
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

/* POST it; prints the id, and for TCP the port. */
static int
post_route(struct cli *cli, const char *app, const struct fl_buf *body, struct fl_err *err)
{
	struct fl_json *route = client_app_call(cli, "POST", app, "/routes", body, NULL, err);
	const struct fl_json *port = fl_json_get(fl_json_get(route, "config"), "port");
	int r = route != NULL ? 0 : -1;

	if (r == 0 && !fl_json_is_null(port))
		printf("%s listening on port %lld\n", fl_json_text(route, "id"), (long long)fl_json_int(port, 0));
	else if (r == 0)
		printf("%s\n", fl_json_text(route, "id"));
	fl_json_free(route);
	return r;
}

/* Append the route that sends requests or connections to the app. domain NULL: of a TCP route. */
static int
write_route(struct fl_buf *b, const char *app, const char *domain, const struct route_options *o, struct fl_err *err)
{
	struct fl_jsonw w = fl_jsonw(b);
	char *service = fl_xasprintf("%s-web", app);
	int r;

	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_str(&w, "type", domain != NULL ? "http" : "tcp");
	fl_jsonw_open(&w, "config", '{');
	fl_jsonw_str_oe(&w, "domain", domain);
	if (o->service == NULL)
		fl_jsonw_str(&w, "service", service);
	r = route_options_write(o, &w, err);
	fl_jsonw_close(&w, '}');
	fl_jsonw_close(&w, '}');
	free(service);
	return r;
}

static int
add_route(struct cli *cli, const char *domain, const struct route_options *o)
{
	struct fl_buf body = { 0 };
	struct fl_err err;
	const char *app = cli_app(cli, &err);
	int r = -1;

	if (app != NULL && write_route(&body, app, domain, o, &err) == 0)
		r = post_route(cli, app, &body, &err);
	if (body.data != NULL)
		explicit_bzero(body.data, body.len); /* it has the private key */
	fl_buf_release(&body);
	return r == -1 ? cli_fail(&err) : 0;
}

int
cmd_route_add_http(struct cli *cli, int argc, char **argv)
{
	struct route_options o;

	if (route_options_parse(&o, argc, argv, ROUTE_OPTIONS_HTTP | ROUTE_OPTIONS_NEW) == -1 || argc - optind != 1)
		return cli_usage(argv[0]);
	return add_route(cli, argv[optind], &o);
}

int
cmd_route_add_tcp(struct cli *cli, int argc, char **argv)
{
	struct route_options o;

	if (route_options_parse(&o, argc, argv, ROUTE_OPTIONS_TCP | ROUTE_OPTIONS_NEW) == -1 || argc != optind)
		return cli_usage("route add tcp");
	return add_route(cli, NULL, &o);
}

static int
check_id(const char *id, struct fl_err *err)
{
	if (id[strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789/-")] == '\0' && strchr(id, '/') != NULL)
		return 0;
	return fl_err_set(err, FL_ERR_INVALID, "\"%.80s\" is no route id: flynn route lists them, as http/0123...", id);
}

/* A call about that route of the app; NULL with err. */
static struct fl_json *
call_route(struct cli *cli, const char *method, const char *id, const struct fl_buf *body, struct fl_err *err)
{
	const char *app = check_id(id, err) == 0 ? cli_app(cli, err) : NULL;
	char *rest, *what;
	struct fl_json *answer;

	if (app == NULL)
		return NULL;
	rest = fl_xasprintf("/routes/%s", id);
	what = fl_xasprintf("route %s of app %s", id, app);
	answer = client_app_call(cli, method, app, rest, body, what, err);
	free(rest);
	free(what);
	return answer;
}

/* Append {"config":{...}} of what was said. */
static int
write_change(struct fl_buf *b, const char *id, const struct route_options *o, struct fl_err *err)
{
	struct fl_jsonw w = fl_jsonw(b);
	int r;

	if (o->is_http_only && strncmp(id, "tcp/", 4) == 0)
		return fl_err_set(err, FL_ERR_INVALID, "a TCP route has a service and may lead to its leader only: other options are for HTTP");
	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_open(&w, "config", '{');
	r = route_options_write(o, &w, err);
	fl_jsonw_close(&w, '}');
	fl_jsonw_close(&w, '}');
	return r;
}

int
cmd_route_update(struct cli *cli, int argc, char **argv)
{
	struct route_options o;
	struct fl_buf body = { 0 };
	struct fl_json *answer = NULL;
	struct fl_err err;

	if (route_options_parse(&o, argc, argv, ROUTE_OPTIONS_HTTP | ROUTE_OPTIONS_CHANGE) == -1 || argc - optind != 1 || !o.is_given)
		return cli_usage("route update");
	if (write_change(&body, argv[optind], &o, &err) == 0)
		answer = call_route(cli, "PUT", argv[optind], &body, &err);
	if (body.data != NULL)
		explicit_bzero(body.data, body.len); /* it has the private key */
	fl_buf_release(&body);
	if (answer == NULL)
		return cli_fail(&err);
	fl_json_free(answer);
	printf("Route %s updated.\n", argv[optind]);
	return 0;
}

int
cmd_route_remove(struct cli *cli, int argc, char **argv)
{
	struct fl_json *answer;
	struct fl_err err;

	if (argc != 2)
		return cli_usage("route remove");
	if ((answer = call_route(cli, "DELETE", argv[1], NULL, &err)) == NULL)
		return cli_fail(&err);
	fl_json_free(answer);
	printf("Route %s removed.\n", argv[1]);
	return 0;
}
