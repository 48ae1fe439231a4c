#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/client.h"
#include "cli/config.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/http_client.h"
#include "libflynn/json.h"
#include "libflynn/xmalloc.h"

void
client_opts(const struct cli *cli, const char *path, struct fl_http_call_opts *opts)
{
	size_t len = strlen(cli->cluster->url);

	while (len > 0 && cli->cluster->url[len - 1] == '/')
		len--;
	opts->url = fl_xasprintf("%.*s%s", (int)len, cli->cluster->url, path);
	opts->key = cli->cluster->key;
	opts->pin = cli->cluster->pin;
	if (cli->timeout_ms > 0)
		opts->timeout_ms = opts->connect_timeout_ms = cli->timeout_ms;
}

/* What the answer's body says: {"message"}, or {"field","message"}; NULL when it says nothing. Caller frees. */
static char *
message_of(const char *body, size_t len)
{
	struct fl_json *v = fl_json_parse(body, len, NULL);
	const char *field = fl_json_str(fl_json_get(v, "field"), NULL);
	const char *message = fl_json_str(fl_json_get(v, "message"), NULL);
	char *text = NULL;

	if (message != NULL && *message != '\0')
		text = field != NULL && *field != '\0' ? fl_xasprintf("%s %s", field, message) : fl_xstrdup(message);
	fl_json_free(v);
	return text;
}

void
client_explain(const struct cli *cli, int status, const char *body, size_t len, const char *what, struct fl_err *err)
{
	char *message = message_of(body, len);
	enum fl_err_kind kind = fl_err_of_status(status);

	if (status == 401)
		fl_err_set(err, kind, "cluster %s refused our key: add it again with the line that bootstrap printed (flynn cluster add ...)",
		    cli->cluster->name);
	else if (message != NULL)
		fl_err_set(err, kind, "%s", message);
	else if (status == 404)
		fl_err_set(err, kind, "%s does not exist", what);
	else if (status == 503)
		fl_err_set(err, kind, "cluster %s cannot answer just now (503): its controller or database is starting or away, try again",
		    cli->cluster->name);
	else
		fl_err_set(err, kind, "%s: the controller answered with status %d", what, status);
	free(message);
}

void
client_explain_failure(const struct cli *cli, struct fl_err *err)
{
	if (err->kind == FL_ERR_DENIED)
		fl_err_wrap(err, "the certificate of %s does not have the pin we know, so this may not be your cluster; if it was made anew, "
				 "remove and add it again (flynn cluster remove %s)", cli->cluster->url, cli->cluster->name);
	else
		fl_err_wrap(err, "cannot reach cluster %s at %s", cli->cluster->name, cli->cluster->url);
}

struct fl_json *
client_call(struct cli *cli, const char *method, const char *path, const struct fl_buf *body,
    const char *what, struct fl_err *err)
{
	struct fl_http_call_opts opts = { .method = method };
	struct fl_json *v = NULL;
	struct fl_err why = { 0 };
	char *answer;
	size_t len;
	int status;

	if (cli_cluster(cli, err) == NULL)
		return NULL;
	client_opts(cli, path, &opts);
	opts.body = body != NULL ? fl_buf_cstr(body) : NULL;
	opts.body_len = body != NULL ? body->len : 0;
	if ((answer = fl_http_fetch(&opts, NULL, &status, &len, &why)) == NULL) {
		client_explain_failure(cli, &why);
	} else if (status < 200 || status > 299) {
		client_explain(cli, status, answer, len, what, &why);
	} else if ((v = len > 0 ? fl_json_parse(answer, len, &why) : fl_json_parse("null", 4, &why)) == NULL) {
		fl_err_wrap(&why, "%s: the controller's answer", what);
	}
	if (v == NULL && err != NULL)
		*err = why;
	free(answer);
	free((char *)opts.url);
	return v;
}

struct fl_json *
client_get(struct cli *cli, const char *path, const char *what, struct fl_err *err)
{
	return client_call(cli, "GET", path, NULL, what, err);
}

struct fl_json *
client_app_call(struct cli *cli, const char *method, const char *app, const char *rest, const struct fl_buf *body,
    const char *what, struct fl_err *err)
{
	char *path = fl_xasprintf("/apps/%s%s", app, rest), *itself = fl_xasprintf("app %s", app);
	struct fl_json *v = client_call(cli, method, path, body, what != NULL ? what : itself, err);

	free(path);
	free(itself);
	return v;
}

int
client_stream(const struct cli *cli, const char *path, struct fl_http_call_opts *opts, void *arg, const char *what,
    struct fl_err *err)
{
	size_t len = 0;
	char *answer;
	int status = 0;

	opts->timeout_ms = -1;
	client_opts(cli, path, opts);
	if ((answer = fl_http_fetch(opts, arg, &status, &len, err)) == NULL)
		client_explain_failure(cli, err);
	else if (status != 200)
		client_explain(cli, status, answer, len, what, err);
	free((char *)opts->url);
	opts->url = NULL;
	free(answer);
	return answer != NULL && status == 200 ? 0 : -1;
}

int
client_app_check(struct cli *cli, const char *app, struct fl_err *err)
{
	struct fl_json *record = client_app_call(cli, "GET", app, "", NULL, NULL, err);
	int r = record != NULL ? 0 : -1;

	fl_json_free(record);
	return r;
}

struct fl_json *
client_app_release(struct cli *cli, const char *app, struct fl_err *err)
{
	struct fl_err why = { 0 };
	struct fl_json *release = client_app_call(cli, "GET", app, "/release", NULL, NULL, &why), *exists;

	if (release == NULL && why.kind == FL_ERR_NOT_FOUND) {
		/* No release, or no app? */
		exists = client_app_call(cli, "GET", app, "", NULL, NULL, &why);
		if (exists != NULL)
			release = fl_json_parse("null", 4, &why);
		fl_json_free(exists);
	}
	if (release == NULL && err != NULL)
		*err = why;
	return release;
}
