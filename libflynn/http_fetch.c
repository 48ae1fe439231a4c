/*
 * http_fetch - one HTTP call that is waited for, for programs without a loop.
 */
#include <stdlib.h>

#include "libflynn/err.h"
#include "libflynn/http_client_internal.h"
#include "libflynn/json.h"

char *
fl_http_fetch(const struct fl_http_call_opts *opts, void *arg, int *status, size_t *len, struct fl_err *err)
{
	struct fl_http_call *call = http_call_new(opts, NULL, arg);
	struct fl_http_result res = { 0 };
	char *body = NULL;
	CURLcode code;

	if (opts->idle_timeout_ms > 0) {
		curl_easy_setopt(call->easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
		curl_easy_setopt(call->easy, CURLOPT_LOW_SPEED_TIME, (opts->idle_timeout_ms + 999L) / 1000L);
	}
	code = curl_easy_perform(call->easy);
	if (http_call_outcome(call, code, &res, err) == -1)
		goto out;
	if (status != NULL)
		*status = res.status;
	if (len != NULL)
		*len = res.len;
	body = fl_buf_detach(&call->answer);
out:
	http_call_free(call);
	return body;
}

struct fl_json *
fl_http_fetch_json(const struct fl_http_call_opts *opts, const char *what, struct fl_err *err)
{
	struct fl_http_result res = { .content_type = "" };
	struct fl_json *json = NULL;
	char *body = fl_http_fetch(opts, NULL, &res.status, &res.len, err);

	if (body == NULL)
		return NULL;
	res.body = body;
	if (fl_http_result_check(&res, what, err) == -1)
		goto out;
	json = res.len > 0 ? fl_json_parse(body, res.len, err) : fl_json_parse("null", 4, err);
	if (json == NULL)
		fl_err_wrap(err, "%s", what);
out:
	free(body);
	return json;
}
