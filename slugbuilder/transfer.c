/* transfer - what every transfer of slugs and caches has in common. */
#include "slugbuilder/transfer.h"

#include <stdlib.h>
#include <string.h>

#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/json.h"
#include "libflynn/xmalloc.h"

#define CONNECT_TIMEOUT_S 10L
#define STALL_TIMEOUT_S 30L

CURL *
transfer_new(const char *url)
{
	CURL *curl = curl_easy_init();

	if (curl == NULL)
		return NULL;
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_USERAGENT, "flynn-slug");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_NOPROXY, "*"); /* shelf is inside; proxies are for registries */
	curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
	curl_easy_setopt(curl, CURLOPT_MAXREDIRS, 3L);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, CONNECT_TIMEOUT_S);
	curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, STALL_TIMEOUT_S);
	return curl;
}

/* The message of a JSON error, or nothing. */
static char *
answer_message(const struct fl_buf *answer)
{
	struct fl_json *json = fl_json_parse(fl_buf_cstr(answer), answer->len, NULL);
	char *message = fl_xstrdup(fl_json_text(json, "message"));

	fl_json_free(json);
	return message;
}

int
transfer_fail(CURL *curl, const char *verb, const char *why, const struct fl_buf *answer, struct fl_err *err)
{
	char *url = NULL, *message;
	long status = 0;
	int len;

	curl_easy_getinfo(curl, CURLINFO_EFFECTIVE_URL, &url);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	len = (int)strcspn(url != NULL ? url : "", "?"); /* behind it stands the signature */
	if (why != NULL)
		return fl_err_set(err, FL_ERR_UNAVAILABLE, "%s %.*s: %s", verb, len, url, why);
	message = answer_message(answer);
	fl_err_set(err, fl_err_of_status((int)status), "%s %.*s answered %ld%s%.200s", verb, len, url, status,
	    *message != '\0' ? ": " : "", message);
	free(message);
	return -1;
}
