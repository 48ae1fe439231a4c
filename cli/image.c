#include "cli/image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/client.h"
#include "libflynn/attr.h"
#include "libflynn/err.h"
#include "libflynn/http_client.h"
#include "libflynn/json.h"
#include "libflynn/sse.h"
#include "libflynn/url.h"
#include "libflynn/xmalloc.h"

#define EVENT_MAX (1 << 20)

/* The controller sends a line every 30 s while it waits. */
#define SILENCE_MS 90000

char *
image_uri_of(const char *name, const char *tag)
{
	return fl_xasprintf("docker:///%s?tag=%s", name, tag);
}

char *
image_uri(const char *word)
{
	const char *slash = strrchr(word, '/'), *colon = strrchr(word, ':');
	char *name, *uri;

	if (strstr(word, "://") != NULL)
		return fl_xstrdup(word);
	if (colon == NULL || (slash != NULL && colon < slash)) /* that colon is before a registry's port */
		return image_uri_of(word, "latest");
	name = fl_xstrndup(word, (size_t)(colon - word));
	uri = image_uri_of(name, colon + 1);
	free(name);
	return uri;
}

/* What the controller's stream came to. */
struct answer {
	struct fl_sse *parser;
	char *artifact;
	struct fl_err err;
};

static void
on_event(const char *event, FL_UNUSED const char *id, const char *data, size_t len, void *arg)
{
	struct answer *a = arg;
	struct fl_json *v = fl_json_parse(data, len, NULL);

	if (strcmp(event, "error") == 0)
		fl_err_set(&a->err, FL_ERR_NOT_FOUND, "%s", fl_json_str(fl_json_get(v, "message"), "the image cannot be had"));
	else if (a->artifact == NULL)
		a->artifact = fl_xstrdup_null(fl_json_str(fl_json_get(fl_json_get(v, "artifact"), "id"), NULL));
	fl_json_free(v);
}

static int
on_data(const char *data, size_t len, void *arg)
{
	struct answer *a = arg;

	return fl_sse_feed(a->parser, data, len, NULL);
}

char *
image_artifact(struct cli *cli, const char *uri, struct fl_err *err)
{
	struct fl_http_call_opts opts = { .idle_timeout_ms = SILENCE_MS, .on_data = on_data };
	struct answer a = { 0 };
	char *encoded, *path;

	if (cli_cluster(cli, err) == NULL)
		return NULL;
	encoded = fl_url_encode(uri);
	path = fl_xasprintf("/images?uri=%s", encoded);
	a.parser = fl_sse_new(EVENT_MAX, on_event, &a);
	fprintf(stderr, "Looking for the image...\n");
	if (client_stream(cli, path, &opts, &a, "the image", &a.err) == 0 && a.artifact == NULL && a.err.kind == FL_ERR_NONE)
		fl_err_set(&a.err, FL_ERR_UNAVAILABLE, "the controller ended before it had found the image: try again");
	if (a.err.kind != FL_ERR_NONE && err != NULL)
		*err = a.err;
	fl_sse_free(a.parser);
	free(path);
	free(encoded);
	return a.artifact;
}
