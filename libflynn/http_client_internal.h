/*
 * http_client_internal - one HTTP call as a libcurl easy handle, for the loop's client and for the blocking one.
 */
#ifndef FL_HTTP_CLIENT_INTERNAL_H
#define FL_HTTP_CLIENT_INTERNAL_H

#include <curl/curl.h>
#include <stdbool.h>
#include <sys/types.h>

#include "libflynn/buf.h"
#include "libflynn/http_client.h"
#include "libflynn/list.h"

struct event;

struct fl_http_call {
	TAILQ_ENTRY(fl_http_call) link;
	struct fl_http_client *client; /* NULL: a blocking call */
	CURL *easy;
	struct curl_slist *headers;
	char *method, *url, *body, *pin;
	size_t max_body;
	int body_fd;
	off_t body_start; /* -1: not seekable */
	curl_off_t body_len, body_sent;
	int (*on_data)(const char *data, size_t len, void *arg);
	fl_http_client_cb cb;
	void *arg;

	struct fl_buf answer;
	bool too_big, given_up, idle_out;
	bool added;	/* to the multi handle */
	bool http2, has_read; /* has_read: something came since libcurl was last on the stack */
	bool cancelled; /* to be removed once libcurl is off the stack */
	struct event *idle;
	int64_t last_ms; /* when a byte last came */
	int idle_timeout_ms;
	char why[CURL_ERROR_SIZE];
};

/* A call set up after opts; default_key is sent when opts has none. */
struct fl_http_call *http_call_new(const struct fl_http_call_opts *opts, const char *default_key, void *arg);
void http_call_free(struct fl_http_call *call);
/* What came of it: 0 and res (borrowed from call), or -1 with err. */
int http_call_outcome(struct fl_http_call *call, CURLcode code, struct fl_http_result *res, struct fl_err *err);

#endif
