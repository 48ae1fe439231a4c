#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/client.h"
#include "cli/number.h"
#include "cli/release.h"
#include "cli/table.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/json.h"

#define DEFAULT_TIMEOUT_S 30
#define TIMEOUT_MAX_S 3600

/* How a process type's health is asked for. */
struct check {
	const char *path; /* NULL: by TCP */
	int status;	  /* 0: any good one */
	int timeout_s;	  /* 0: the default */
};

/* ---- where a process type says it ---- */

static const char *
service_name(const struct fl_json *service)
{
	return fl_json_str(service, fl_json_str(fl_json_get(service, "name"), NULL));
}

/*
 * The port that is asked, the first that has a service, and that service, which may be the type's own; -1: there is none,
 * and so nobody to ask.
 */
static int
checked_port(const struct fl_json *type, const struct fl_json **service)
{
	const struct fl_json *ports = fl_json_get(type, "ports");

	for (size_t i = 0; i < fl_json_len(ports); i++) {
		*service = fl_json_get(fl_json_at(ports, i), "service");
		if (service_name(*service) != NULL)
			return (int)i;
	}
	*service = fl_json_get(type, "service");
	return fl_json_len(ports) > 0 && service_name(*service) != NULL ? 0 : -1;
}

static struct check
read_check(const struct fl_json *service)
{
	const struct fl_json *v = fl_json_get(service, "check");
	bool is_http = strcmp(fl_json_str(fl_json_get(v, "type"), "tcp"), "http") == 0;

	return (struct check){
		.path = is_http ? fl_json_str(fl_json_get(v, "path"), "/") : NULL,
		.status = (int)fl_json_int(fl_json_get(v, "status"), 0),
		.timeout_s = (int)fl_json_int(fl_json_get(v, "timeout_s"), 0),
	};
}

static void
write_but(struct fl_jsonw *w, const struct fl_json *object, const char *left_out)
{
	for (size_t i = 0; i < fl_json_len(object); i++)
		if (strcmp(fl_json_key_at(object, i), left_out) != 0)
			fl_jsonw_value(w, fl_json_key_at(object, i), fl_json_at(object, i));
}

/* check NULL: none of its own. */
static void
write_service(struct fl_jsonw *w, const struct fl_json *service, const struct check *check)
{
	fl_jsonw_open(w, "service", '{');
	if (fl_json_type(service) == FL_JSON_OBJECT)
		write_but(w, service, "check");
	else
		fl_jsonw_str(w, "name", service_name(service));
	if (check != NULL) {
		fl_jsonw_open(w, "check", '{');
		fl_jsonw_str(w, "type", check->path != NULL ? "http" : "tcp");
		if (check->path != NULL)
			fl_jsonw_str(w, "path", check->path);
		if (check->status != 0)
			fl_jsonw_int(w, "status", check->status);
		if (check->timeout_s != 0)
			fl_jsonw_int(w, "timeout_s", check->timeout_s);
		fl_jsonw_close(w, '}');
	}
	fl_jsonw_close(w, '}');
}

/* How a process type is to be asked from now on. */
struct change {
	const char *type;
	const struct check *check;
};

/* The type's ports, one of which is asked so. */
static const char *
write_ports(const struct fl_json *type, struct fl_buf *b, const void *arg, struct fl_err *err)
{
	const struct change *change = arg;
	const struct fl_json *ports = fl_json_get(type, "ports"), *service;
	int checked = checked_port(type, &service);
	struct fl_jsonw w = fl_jsonw(b);

	if (checked == -1) {
		fl_err_set(err, FL_ERR_INVALID, "%s has no port that is a service, so its health cannot be asked for: web types have one",
		    change->type);
		return NULL;
	}
	if (change->check == NULL && fl_json_is_null(fl_json_get(service, "check"))) {
		fl_err_set(err, FL_ERR_NONE, "Nothing to do: %s is asked by a TCP connection within %ds already.", change->type,
		    DEFAULT_TIMEOUT_S);
		return NULL;
	}
	fl_jsonw_open(&w, NULL, '[');
	for (int i = 0; i < (int)fl_json_len(ports); i++) {
		const struct fl_json *port = fl_json_at(ports, (size_t)i);

		if (i != checked) {
			fl_jsonw_value(&w, NULL, port);
			continue;
		}
		fl_jsonw_open(&w, NULL, '{');
		write_but(&w, port, "service");
		write_service(&w, service, change->check);
		fl_jsonw_close(&w, '}');
	}
	fl_jsonw_close(&w, ']');
	return "ports";
}

/* ---- flynn health ---- */

static void
print_checks(const struct fl_json *release)
{
	static const char *const heads[] = { "TYPE", "CHECK", "PATH", "STATUS", "TIMEOUT", NULL };
	const struct fl_json *types = fl_json_get(release, "processes"), *service;
	struct table *t = table_new(heads);
	char status[16], timeout[16];

	for (size_t i = 0; i < fl_json_len(types); i++) {
		struct check c;

		if (checked_port(fl_json_at(types, i), &service) == -1)
			continue;
		c = read_check(service);
		snprintf(status, sizeof(status), "%d", c.status);
		snprintf(timeout, sizeof(timeout), "%ds", c.timeout_s != 0 ? c.timeout_s : DEFAULT_TIMEOUT_S);
		table_row(t, fl_json_key_at(types, i), c.path != NULL ? "http" : "tcp", c.path,
		    c.status != 0 ? status : c.path != NULL ? "2xx, 3xx" : "", timeout);
	}
	table_print(t);
}

/* As print_checks, an array. */
static void
print_checks_json(const struct fl_json *release)
{
	const struct fl_json *types = fl_json_get(release, "processes"), *service;
	struct fl_buf text = { 0 };
	struct fl_jsonw w = fl_jsonw(&text);

	fl_jsonw_open(&w, NULL, '[');
	for (size_t i = 0; i < fl_json_len(types); i++) {
		struct check c;

		if (checked_port(fl_json_at(types, i), &service) == -1)
			continue;
		c = read_check(service);
		fl_jsonw_open(&w, NULL, '{');
		fl_jsonw_str(&w, "type", fl_json_key_at(types, i));
		fl_jsonw_str(&w, "check", c.path != NULL ? "http" : "tcp");
		fl_jsonw_str_oe(&w, "path", c.path);
		if (c.status != 0)
			fl_jsonw_int(&w, "status", c.status);
		fl_jsonw_int(&w, "timeout_s", c.timeout_s != 0 ? c.timeout_s : DEFAULT_TIMEOUT_S);
		fl_jsonw_close(&w, '}');
	}
	fl_jsonw_close(&w, ']');
	printf("%s\n", fl_buf_cstr(&text));
	fl_buf_release(&text);
}

int
cmd_health(struct cli *cli, int argc, FL_UNUSED char **argv)
{
	struct fl_json *release;
	const char *app;
	struct fl_err err;

	if (argc > 1)
		return cli_usage("health");
	if ((app = cli_app(cli, &err)) == NULL || (release = client_app_release(cli, app, &err)) == NULL)
		return cli_fail(&err);
	if (cli->json)
		print_checks_json(release);
	else
		print_checks(release);
	fl_json_free(release);
	return 0;
}

/* ---- flynn health set, unset ---- */

static int
read_status(const char *text, int *status, struct fl_err *err)
{
	int n = number_read(text, 599);

	if (n < 100)
		return fl_err_set(err, FL_ERR_INVALID, "status=%.40s: a status is a number from 100 to 599", text);
	*status = n;
	return 0;
}

static int
read_word(const char *word, struct check *c, struct fl_err *err)
{
	if (strncmp(word, "path=", 5) == 0) {
		c->path = word + 5;
		if (*c->path != '/' || c->path[strcspn(c->path, " \t\r\n")] != '\0')
			return fl_err_set(err, FL_ERR_INVALID, "%.80s: a path begins with / and has no blanks", word);
		return 0;
	}
	if (strncmp(word, "status=", 7) == 0)
		return read_status(word + 7, &c->status, err);
	if (strncmp(word, "timeout=", 8) == 0)
		return number_read_time(word, word + 8, TIMEOUT_MAX_S, &c->timeout_s, err);
	return fl_err_set(err, FL_ERR_INVALID, "\"%.80s\" is none of path=PATH, status=STATUS and timeout=TIME", word);
}

static int
set_check(struct cli *cli, const char *type, const struct check *check)
{
	struct change change = { type, check };
	struct fl_err err = { 0 };
	const char *app = cli_app(cli, &err);

	return release_say(app != NULL ? release_with_member(cli, app, type, write_ports, &change, &err) : NULL, &err);
}

int
cmd_health_set(struct cli *cli, int argc, char **argv)
{
	struct check c = { 0 };
	struct fl_err err;

	if (argc < 3)
		return cli_usage("health set");
	for (int i = 2; i < argc; i++)
		if (read_word(argv[i], &c, &err) == -1)
			return cli_fail(&err);
	if (c.status != 0 && c.path == NULL) {
		fl_err_set(&err, FL_ERR_INVALID, "a status is that of an answer: name the path to ask for, as path=/");
		return cli_fail(&err);
	}
	return set_check(cli, argv[1], &c);
}

int
cmd_health_unset(struct cli *cli, int argc, char **argv)
{
	if (argc != 2)
		return cli_usage("health unset");
	return set_check(cli, argv[1], NULL);
}
