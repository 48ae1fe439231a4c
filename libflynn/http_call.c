/*
 * http_call - one HTTP call: its options as libcurl's, its bytes both ways, and what came of it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libflynn/attr.h"
#include "libflynn/clock.h"
#include "libflynn/err.h"
#include "libflynn/http_client_internal.h"
#include "libflynn/json.h"
#include "libflynn/sign.h"
#include "libflynn/tls_pin.h"
#include "libflynn/xmalloc.h"

#define DEFAULT_TIMEOUT_MS 30000L
#define DEFAULT_CONNECT_MS 5000L
#define DEFAULT_MAX_BODY ((size_t)16 << 20)
#define BUFFER_BYTES 16384L
#define KEEPALIVE_IDLE_S 20L
#define KEEPALIVE_INTERVAL_S 5L
#define CONN_MAX_AGE_S 45L /* less than our servers' idle limit, so that a kept connection is a living one */

static size_t
on_body(char *data, size_t size, size_t n, void *arg)
{
	struct fl_http_call *call = arg;
	size_t len = size * n;
	long status = 0;

	call->last_ms = fl_clock_ms();
	call->has_read = true;
	if (call->cancelled)
		return 0;
	curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
	if (call->on_data != NULL && status / 100 == 2) {
		call->given_up = call->on_data(data, len, call->arg) == -1;
		return call->given_up ? 0 : len;
	}
	if (call->answer.len + len > call->max_body) {
		call->too_big = true;
		return 0;
	}
	fl_buf_add(&call->answer, data, len);
	return len;
}

static size_t
on_header(FL_UNUSED char *data, size_t size, size_t n, void *arg)
{
	struct fl_http_call *call = arg;

	call->last_ms = fl_clock_ms();
	return size * n;
}

static size_t
on_upload(char *data, size_t size, size_t n, void *arg)
{
	struct fl_http_call *call = arg;
	size_t room = size * n;
	curl_off_t left = call->body_len - call->body_sent;
	ssize_t got;

	call->last_ms = fl_clock_ms();
	if (left < (curl_off_t)room)
		room = (size_t)left;
	if (room == 0)
		return 0;
	do {
		got = call->body_start == -1
		    ? read(call->body_fd, data, room)
		    : pread(call->body_fd, data, room, call->body_start + call->body_sent);
	} while (got == -1 && errno == EINTR);
	if (got <= 0)
		return CURL_READFUNC_ABORT; /* shorter than was promised */
	call->body_sent += got;
	return (size_t)got;
}

/* libcurl starts the body again, on a new connection. */
static int
on_seek(void *arg, curl_off_t offset, int origin)
{
	struct fl_http_call *call = arg;

	if (call->body_start == -1 || origin != SEEK_SET)
		return CURL_SEEKFUNC_CANTSEEK;
	call->body_sent = offset;
	return CURL_SEEKFUNC_OK;
}

/* libcurl's own sockets would be inherited by the programs that we run. */
static curl_socket_t
on_open_socket(FL_UNUSED void *arg, FL_UNUSED curlsocktype purpose, struct curl_sockaddr *addr)
{
	return socket(addr->family, addr->socktype | SOCK_CLOEXEC, addr->protocol);
}

static CURLcode
on_ssl_ctx(FL_UNUSED CURL *easy, void *ssl_ctx, void *arg)
{
	fl_tls_pin_set(ssl_ctx, arg);
	return CURLE_OK;
}

static void
add_header(struct fl_http_call *call, const char *name, const char *value)
{
	char *line = fl_xasprintf("%s: %s", name, value);

	call->headers = curl_slist_append(call->headers, line);
	free(line);
}

static void
set_headers(struct fl_http_call *call, const struct fl_http_call_opts *opts, const char *key)
{
	bool has_body = opts->body_len > 0;

	if (key != NULL && *key != '\0') {
		char *basic = fl_sign_basic(key);

		add_header(call, "Authorization", basic);
		free(basic);
	}
	if (opts->content_type != NULL)
		add_header(call, "Content-Type", opts->content_type);
	else
		call->headers = curl_slist_append(call->headers, has_body ? "Content-Type: application/json" : "Content-Type:");
	if (opts->body_fd <= 0) /* a big file waits for the server's word, anything else is sent at once */
		call->headers = curl_slist_append(call->headers, "Expect:");
	for (const char *const *h = opts->headers; h != NULL && *h != NULL; h++)
		call->headers = curl_slist_append(call->headers, *h);
	curl_easy_setopt(call->easy, CURLOPT_HTTPHEADER, call->headers);
}

static void
set_body(struct fl_http_call *call, const struct fl_http_call_opts *opts)
{
	CURL *easy = call->easy;
	bool may_have = strcmp(call->method, "POST") == 0 || strcmp(call->method, "PUT") == 0 ||
	    strcmp(call->method, "PATCH") == 0;

	if (opts->body_fd > 0) {
		call->body_fd = opts->body_fd;
		call->body_start = lseek(opts->body_fd, 0, SEEK_CUR);
		call->body_len = (curl_off_t)opts->body_len;
		curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
		curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, call->body_len);
		curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_upload);
		curl_easy_setopt(easy, CURLOPT_READDATA, call);
		curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_seek);
		curl_easy_setopt(easy, CURLOPT_SEEKDATA, call);
	} else if (opts->body_len > 0 || may_have) {
		call->body = opts->body_len > 0 ? fl_xmemdup(opts->body, opts->body_len) : NULL;
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)opts->body_len);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, call->body != NULL ? call->body : "");
	}
	if (strcmp(call->method, "HEAD") == 0)
		curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
	else
		curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, call->method);
}

static void
set_transport(struct fl_http_call *call, const struct fl_http_call_opts *opts)
{
	CURL *easy = call->easy;
	long timeout_ms = opts->timeout_ms == 0 ? DEFAULT_TIMEOUT_MS : opts->timeout_ms < 0 ? 0L : opts->timeout_ms;
	long connect_ms = opts->connect_timeout_ms == 0 ? DEFAULT_CONNECT_MS : opts->connect_timeout_ms;

	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	call->http2 = opts->http2;
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, opts->http2 ? (long)CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE : (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, opts->http2 ? 1L : 0L);
	curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, opts->http2 ? 1L : 0L);
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, BUFFER_BYTES);
	curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, opts->body_fd > 0 ? 4 * BUFFER_BYTES : BUFFER_BYTES);
	/* In the cluster addresses are numbers, each of one kind: nothing to be woken for 200 ms later. */
	if (strncmp(opts->url, "http://", 7) == 0)
		curl_easy_setopt(easy, CURLOPT_HAPPY_EYEBALLS_TIMEOUT_MS, 10L);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L); /* a silent stream's dead peer is found by the kernel */
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S);
	curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, CONN_MAX_AGE_S);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, timeout_ms);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, connect_ms);
	if (opts->unix_socket != NULL)
		curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, opts->unix_socket);
	if (opts->ca_file != NULL) {
		curl_easy_setopt(easy, CURLOPT_CAINFO, opts->ca_file);
		curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
	}
	if (opts->pin == NULL)
		return;
	call->pin = fl_xstrdup(opts->pin);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
	curl_easy_setopt(easy, CURLOPT_SSL_SESSIONID_CACHE, 0L); /* a resumed session shows no certificate */
	curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_ssl_ctx);
	curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, call->pin);
}

struct fl_http_call *
http_call_new(const struct fl_http_call_opts *opts, const char *default_key, void *arg)
{
	struct fl_http_call *call = fl_xcalloc(1, sizeof(*call));

	call->easy = curl_easy_init();
	call->method = fl_xstrdup(opts->method != NULL ? opts->method : "GET");
	call->url = fl_xstrdup(opts->url);
	call->max_body = opts->max_body != 0 ? opts->max_body : DEFAULT_MAX_BODY;
	call->on_data = opts->on_data;
	call->arg = arg;
	call->idle_timeout_ms = opts->idle_timeout_ms;
	call->last_ms = fl_clock_ms();
	curl_easy_setopt(call->easy, CURLOPT_PRIVATE, call);
	curl_easy_setopt(call->easy, CURLOPT_ERRORBUFFER, call->why);
	curl_easy_setopt(call->easy, CURLOPT_URL, call->url);
	curl_easy_setopt(call->easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(call->easy, CURLOPT_WRITEDATA, call);
	curl_easy_setopt(call->easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(call->easy, CURLOPT_HEADERDATA, call);
	set_body(call, opts);
	set_headers(call, opts, opts->key != NULL ? opts->key : default_key);
	set_transport(call, opts);
	return call;
}

void
http_call_free(struct fl_http_call *call)
{
	if (call == NULL)
		return;
	curl_easy_cleanup(call->easy);
	curl_slist_free_all(call->headers);
	fl_buf_release(&call->answer);
	free(call->method);
	free(call->url);
	free(call->body);
	free(call->pin);
	free(call);
}

static enum fl_err_kind
kind_of(CURLcode code)
{
	switch (code) {
	case CURLE_OPERATION_TIMEDOUT:
		return FL_ERR_TIMEOUT;
	case CURLE_URL_MALFORMAT:
	case CURLE_UNSUPPORTED_PROTOCOL:
		return FL_ERR_INVALID;
	case CURLE_PEER_FAILED_VERIFICATION:
		return FL_ERR_DENIED;
	default: /* libcurl's list, not ours: all of them leave us without an answer */
		return FL_ERR_UNAVAILABLE;
	}
}

/* No answer came: say so of the method and the URL without its query, which may hold a signature. */
static int
fail(const struct fl_http_call *call, CURLcode code, struct fl_err *err)
{
	const char *why = call->why[0] != '\0' ? call->why : curl_easy_strerror(code);

	if (call->too_big)
		fl_err_set(err, FL_ERR_TOO_BIG, "the answer is larger than %zu bytes", call->max_body);
	else if (call->given_up)
		fl_err_set(err, FL_ERR_SYSTEM, "the answer's reader gave up");
	else if (call->idle_out)
		fl_err_set(err, FL_ERR_TIMEOUT, "nothing came for %d ms", call->idle_timeout_ms);
	else if (code == CURLE_PEER_FAILED_VERIFICATION && call->pin != NULL)
		fl_err_set(err, FL_ERR_DENIED, "the server's certificate is not the pinned one");
	else
		fl_err_set(err, kind_of(code), "%s", why);
	return fl_err_wrap(err, "%s %.*s", call->method, (int)strcspn(call->url, "?"), call->url);
}

int
http_call_outcome(struct fl_http_call *call, CURLcode code, struct fl_http_result *res, struct fl_err *err)
{
	char *type = NULL;
	long status = 0;

	if (code != CURLE_OK)
		return fail(call, code, err);
	curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(call->easy, CURLINFO_CONTENT_TYPE, &type);
	*res = (struct fl_http_result){
		.status = (int)status,
		.body = fl_buf_cstr(&call->answer),
		.len = call->answer.len,
		.content_type = type != NULL ? type : "",
		.handle = call->easy,
	};
	return 0;
}

const char *
fl_http_result_header(const struct fl_http_result *res, const char *name)
{
	struct curl_header *h = NULL;

	if (res->handle == NULL || curl_easy_header(res->handle, name, 0, CURLH_HEADER, -1, &h) != CURLHE_OK)
		return NULL;
	return h->value;
}

int
fl_http_result_check(const struct fl_http_result *res, const char *what, struct fl_err *err)
{
	struct fl_json *body;
	const char *message;

	if (res->status / 100 == 2)
		return 0;
	body = fl_json_parse(res->body, res->len, NULL);
	message = fl_json_str(fl_json_get(body, "message"), NULL);
	if (message != NULL && *message != '\0')
		fl_err_set(err, fl_err_of_status(res->status), "%s: %s", what, message);
	else
		fl_err_set(err, fl_err_of_status(res->status), "%s: status %d", what, res->status);
	fl_json_free(body);
	return -1;
}
