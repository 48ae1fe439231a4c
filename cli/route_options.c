#include "cli/route_options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/json.h"
#include "libflynn/xmalloc.h"

#define MAX_PEM_BYTES (256u << 10)

static const struct flag {
	const char *option, *member;
} flags[ROUTE_FLAG_MAX] = {
	[ROUTE_STICKY] = { "sticky", "sticky" },
	[ROUTE_LEADER] = { "leader", "leader" },
	[ROUTE_REDIRECT_HTTPS] = { "redirect-https", "redirect_https" },
	[ROUTE_MAINTENANCE] = { "maintenance", "maintenance" },
	[ROUTE_AUTO_TLS] = { "auto-tls", "auto_tls" },
};

/* Long options without a letter. Flags: FLAG_ON + flag, FLAG_OFF + flag. */
enum { OPTION_PATH = 256, OPTION_TEXT, OPTION_NO_TLS, FLAG_ON = 300, FLAG_OFF = 400 };

static const struct {
	struct option option;
	unsigned sets; /* in which it is: all that apply to it must be asked for */
} table[] = {
	{ { "service", required_argument, NULL, 's' }, 0 },
	{ { "port", required_argument, NULL, 'p' }, ROUTE_OPTIONS_TCP | ROUTE_OPTIONS_NEW },
	{ { "path", required_argument, NULL, OPTION_PATH }, ROUTE_OPTIONS_HTTP | ROUTE_OPTIONS_NEW },
	{ { "type", required_argument, NULL, 't' }, ROUTE_OPTIONS_HTTP | ROUTE_OPTIONS_NEW },
	{ { "tls-cert", required_argument, NULL, 'c' }, ROUTE_OPTIONS_HTTP },
	{ { "tls-key", required_argument, NULL, 'k' }, ROUTE_OPTIONS_HTTP },
	{ { "no-tls", no_argument, NULL, OPTION_NO_TLS }, ROUTE_OPTIONS_HTTP | ROUTE_OPTIONS_CHANGE },
	{ { "maintenance-text", required_argument, NULL, OPTION_TEXT }, ROUTE_OPTIONS_HTTP },
	{ { "leader", no_argument, NULL, FLAG_ON + ROUTE_LEADER }, 0 },
	{ { "no-leader", no_argument, NULL, FLAG_OFF + ROUTE_LEADER }, ROUTE_OPTIONS_CHANGE },
	{ { "sticky", no_argument, NULL, FLAG_ON + ROUTE_STICKY }, ROUTE_OPTIONS_HTTP },
	{ { "no-sticky", no_argument, NULL, FLAG_OFF + ROUTE_STICKY }, ROUTE_OPTIONS_HTTP | ROUTE_OPTIONS_CHANGE },
	{ { "redirect-https", no_argument, NULL, FLAG_ON + ROUTE_REDIRECT_HTTPS }, ROUTE_OPTIONS_HTTP },
	{ { "no-redirect-https", no_argument, NULL, FLAG_OFF + ROUTE_REDIRECT_HTTPS }, ROUTE_OPTIONS_HTTP | ROUTE_OPTIONS_CHANGE },
	{ { "maintenance", no_argument, NULL, FLAG_ON + ROUTE_MAINTENANCE }, ROUTE_OPTIONS_HTTP },
	{ { "auto-tls", no_argument, NULL, FLAG_ON + ROUTE_AUTO_TLS }, ROUTE_OPTIONS_HTTP },
	{ { "no-auto-tls", no_argument, NULL, FLAG_OFF + ROUTE_AUTO_TLS }, ROUTE_OPTIONS_HTTP | ROUTE_OPTIONS_CHANGE },
	{ { "no-maintenance", no_argument, NULL, FLAG_OFF + ROUTE_MAINTENANCE }, ROUTE_OPTIONS_HTTP | ROUTE_OPTIONS_CHANGE },
};

static int
set_port(struct route_options *o, const char *text)
{
	struct fl_err err;
	char *end;
	long port = strtol(text, &end, 10);

	if (*end != '\0' || port < 1 || port > 65535) {
		fl_err_set(&err, FL_ERR_INVALID, "\"%s\" is no port: write a number from 1 to 65535", text);
		cli_fail(&err);
		return -1;
	}
	o->port = (int)port;
	return 0;
}

static int
take(struct route_options *o, int c)
{
	switch (c) {
	case 's':
		o->service = optarg;
		return 0;
	case 'p':
		return set_port(o, optarg);
	case 't': /* of 2014: there it named the type */
		return strcmp(optarg, "http") == 0 ? 0 : -1;
	case 'c':
		o->cert_file = optarg;
		return 0;
	case 'k':
		o->key_file = optarg;
		return 0;
	case OPTION_PATH:
		o->path = optarg;
		return 0;
	case OPTION_TEXT:
		o->maintenance_text = optarg;
		return 0;
	case OPTION_NO_TLS:
		o->no_tls = true;
		return 0;
	default:
		if (c < FLAG_ON)
			return -1;
		o->flags[c < FLAG_OFF ? c - FLAG_ON : c - FLAG_OFF] = c < FLAG_OFF;
		return 0;
	}
}

/* The options that are in those sets, for getopt_long(3). */
static void
choose(unsigned sets, struct option options[fl_nitems(table) + 1], char letters[3 * fl_nitems(table)])
{
	size_t n = 0;

	for (size_t i = 0; i < fl_nitems(table); i++) {
		if ((table[i].sets & sets) != table[i].sets)
			continue;
		options[n++] = table[i].option;
		if (table[i].option.val > 'z')
			continue;
		*letters++ = (char)table[i].option.val;
		*letters++ = ':';
	}
	options[n] = (struct option){ 0 };
	*letters = '\0';
}

static bool
is_http_only(int c)
{
	for (size_t i = 0; i < fl_nitems(table); i++)
		if (table[i].option.val == c)
			return (table[i].sets & ROUTE_OPTIONS_HTTP) != 0;
	return false;
}

int
route_options_parse(struct route_options *o, int argc, char **argv, unsigned sets)
{
	struct option options[fl_nitems(table) + 1];
	char letters[3 * fl_nitems(table)];
	int c;

	*o = (struct route_options){ 0 };
	for (size_t i = 0; i < ROUTE_FLAG_MAX; i++)
		o->flags[i] = -1;
	choose(sets, options, letters);
	while ((c = getopt_long(argc, argv, letters, options, NULL)) != -1) {
		if (take(o, c) == -1)
			return -1;
		o->is_given = true;
		o->is_http_only = o->is_http_only || is_http_only(c);
	}
	return 0;
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

/* A member with what the file has. */
static int
write_pem(const char *path, const char *member, struct fl_jsonw *w, struct fl_err *err)
{
	char *pem;

	if (path == NULL)
		return 0;
	if ((pem = read_pem(path, err)) == NULL)
		return -1;
	fl_jsonw_str(w, member, pem);
	free(pem);
	return 0;
}

int
route_options_write(const struct route_options *o, struct fl_jsonw *w, struct fl_err *err)
{
	if ((o->cert_file == NULL) != (o->key_file == NULL))
		return fl_err_set(err, FL_ERR_INVALID, "a certificate and its key come together: give both -c and -k");
	if (o->no_tls && o->cert_file != NULL)
		return fl_err_set(err, FL_ERR_INVALID, "--no-tls and -c contradict each other");
	if (write_pem(o->cert_file, "tls_cert", w, err) == -1 || write_pem(o->key_file, "tls_key", w, err) == -1)
		return -1;
	if (o->no_tls) {
		fl_jsonw_str(w, "tls_cert", "");
		fl_jsonw_str(w, "tls_key", "");
		if (o->flags[ROUTE_AUTO_TLS] == -1)
			fl_jsonw_bool(w, "auto_tls", false);
	}
	if (o->service != NULL)
		fl_jsonw_str(w, "service", o->service);
	if (o->path != NULL)
		fl_jsonw_str(w, "path", o->path);
	if (o->port != 0)
		fl_jsonw_int(w, "port", o->port);
	if (o->maintenance_text != NULL)
		fl_jsonw_str(w, "maintenance_text", o->maintenance_text);
	for (size_t i = 0; i < ROUTE_FLAG_MAX; i++)
		if (o->flags[i] != -1)
			fl_jsonw_bool(w, flags[i].member, o->flags[i] == 1);
	return 0;
}

char *
route_options_name(const struct fl_json *route)
{
	const struct fl_json *config = fl_json_get(route, "config");
	const char *cert = fl_json_text(config, "tls_cert");

	if (strcmp(fl_json_text(route, "type"), "tcp") == 0)
		return fl_xasprintf("tcp:%lld", (long long)fl_json_int(fl_json_get(config, "port"), 0));
	return fl_xasprintf("%s:%s%s", *cert != '\0' ? "https" : "http", fl_json_text(config, "domain"),
	    fl_json_text(config, "path"));
}

char *
route_options_describe(const struct fl_json *config)
{
	const char *state = fl_json_text(fl_json_get(config, "auto_tls_status"), "state");
	struct fl_buf b = { 0 };

	for (size_t i = 0; i < ROUTE_FLAG_MAX; i++) {
		if (!fl_json_bool(fl_json_get(config, flags[i].member), false))
			continue;
		fl_buf_addf(&b, "%s%s", b.len > 0 ? "," : "", flags[i].option);
		if (i == ROUTE_AUTO_TLS && *state != '\0')
			fl_buf_addf(&b, ":%s", state);
	}
	return fl_buf_detach(&b);
}
