/*
 * url_fuzz - URLs, addresses and queries: what is taken is made of what may be in it.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "libflynn/url.h"
#include "libflynn/xmalloc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_url(const char *text)
{
	struct fl_url url;

	if (fl_url_parse(text, &url, NULL) == -1)
		return;
	if (url.path[0] != '/' || url.host[0] == '\0' || url.port < 0 || url.port > 65535)
		abort();
	/* None of these may reach a request line. */
	if (strpbrk(url.path, " \r\n\t#") != NULL || strpbrk(url.host, " \r\n\t/?#@") != NULL)
		abort();
	fl_url_release(&url);
}

static void
check_hostport(const char *text)
{
	char *host = NULL;
	int port;

	if (fl_url_hostport(text, &host, &port, NULL) == 0 && (port < 0 || port > 65535))
		abort();
	free(host);
}

static void
check_coding(const char *text)
{
	char *encoded = fl_url_encode(text);
	char *plain = fl_url_decode(encoded, strlen(encoded), 0);

	if (plain == NULL || strcmp(plain, text) != 0)
		abort();
	free(plain);
	free(encoded);
	free(fl_url_decode(text, strlen(text), 1));
	free(fl_url_query(text, "sig"));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fl_xmalloc(size + 1);

	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	check_url(text);
	check_hostport(text);
	check_coding(text);
	free(text);
	return 0;
}
