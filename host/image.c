#include "host/image.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "libflynn/err.h"
#include "libflynn/url.h"
#include "libflynn/xmalloc.h"

#define DOCKER_HUB "registry.hub.docker.com"
#define MAX_URI 1024

void
image_release(struct image *image)
{
	free(image->ref);
	free(image->name);
	free(image->tag);
	free(image->id);
	free(image->digest);
	*image = (struct image){ 0 };
}

/* Only what may stand in a name, a tag or an id: the text becomes part of the engine's paths. */
static bool
is_plain(const char *s, const char *also)
{
	if (!isalnum((unsigned char)*s))
		return false;
	for (; *s != '\0'; s++)
		if (!isalnum((unsigned char)*s) && strchr(also, *s) == NULL)
			return false;
	return true;
}

/* The host of the URI, and the rest behind its slash; NULL when there is no such scheme. */
static const char *
split_host(const char *uri, char **host)
{
	const char *at = strstr(uri, "://"), *slash;

	if (at == NULL || (slash = strchr(at + 3, '/')) == NULL)
		return NULL;
	*host = fl_xstrndup(at + 3, (size_t)(slash - at - 3));
	return slash + 1;
}

int
image_parse(const char *uri, struct image *image, struct fl_err *err)
{
	struct image got = { 0 };
	char *host = NULL, *path = NULL;
	const char *rest = NULL, *query = NULL;
	int status = -1;

	if (uri == NULL || strlen(uri) > MAX_URI || (rest = split_host(uri, &host)) == NULL) {
		fl_err_set(err, FL_ERR_INVALID, "the artifact %.200s names no image: https://registry.hub.docker.com/NAME?id=ID is one",
		    uri != NULL ? uri : "");
		goto out;
	}
	query = strchr(rest, '?');
	path = fl_xstrndup(rest, query != NULL ? (size_t)(query - rest) : strlen(rest));
	got.id = query != NULL ? fl_url_query(query + 1, "id") : NULL;
	got.tag = query != NULL ? fl_url_query(query + 1, "tag") : NULL;
	got.digest = query != NULL ? fl_url_query(query + 1, "digest") : NULL;
	if (got.id != NULL && *got.id == '\0') {
		free(got.id);
		got.id = NULL;
	}
	if (got.tag == NULL)
		got.tag = fl_xstrdup("latest");
	if (*host == '\0' || strcmp(host, DOCKER_HUB) == 0)
		got.name = fl_xstrdup(path);
	else
		got.name = fl_xasprintf("%s/%s", host, path);
	if (!is_plain(got.name, "/._-:") || !is_plain(got.tag, "._-") || (got.id != NULL && !is_plain(got.id, ":")) ||
	    (got.digest != NULL && !is_plain(got.digest, ":"))) {
		fl_err_set(err, FL_ERR_INVALID, "the artifact %.200s has an image name, tag or id that Docker does not allow", uri);
		goto out;
	}
	got.ref = got.id != NULL ? fl_xstrdup(got.id) : fl_xasprintf("%s:%s", got.name, got.tag);
	*image = got;
	got = (struct image){ 0 };
	status = 0;
out:
	image_release(&got);
	free(host);
	free(path);
	return status;
}
