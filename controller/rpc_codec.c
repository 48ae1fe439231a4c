#include "controller/rpc_codec.h"

#include <stdlib.h>
#include <string.h>

#include "controller/gob_time.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/clock.h"
#include "libflynn/err.h"
#include "libflynn/json.h"
#include "libflynn/xmalloc.h"

static const struct gob_field response_fields[] = {
	{ "ServiceMethod", "method", &gob_string },
	{ "Seq", "seq", &gob_uint },
	{ "Error", "error", &gob_string },
};
static const struct gob_type response = { .kind = GOB_STRUCT, .id = 65, .name = "Response", .fields = response_fields, .n_fields = fl_nitems(response_fields) };
/* What stands for a result where there is none. */
static const struct gob_type nothing = { .kind = GOB_STRUCT, .id = 66, .name = "" };

void
rpc_request_release(struct rpc_request *req)
{
	free(req->method);
	free(req->id);
	*req = (struct rpc_request){ 0 };
}

void
rpc_codec_release(struct rpc_codec *codec)
{
	rpc_request_release(&codec->header);
}

/* ---- gob ---- */

static int
read_gob(struct rpc_codec *codec, const char *data, size_t len, size_t *used, struct rpc_request *req, struct fl_err *err)
{
	struct gob_value v;
	size_t n = 0;
	int rc;

	*used = 0;
	while ((rc = gob_read(&codec->in, data + *used, len - *used, &v, &n, err)) == 1) {
		*used += n;
		if (codec->header.method == NULL) {
			if (v.shape != GOB_SHAPE_HEADER)
				return fl_err_set(err, FL_ERR_INVALID, "a request does not begin with its method and number");
			codec->header.method = fl_xstrndup(v.method.p, v.method.len);
			codec->header.seq = v.seq;
			continue;
		}
		*req = codec->header;
		codec->header = (struct rpc_request){ 0 };
		req->has_time = v.shape == GOB_SHAPE_ENCODED && gob_time_read(v.encoded.p, v.encoded.len, &req->time_us) == 0;
		return 1;
	}
	*used += n;
	return rc;
}

static void
put_field(struct fl_buf *message, unsigned *last, unsigned field)
{
	gob_put_uint(message, field - *last);
	*last = field;
}

static void
write_gob(struct rpc_codec *codec, struct fl_buf *out, const struct rpc_request *req, const struct gob_type *type,
    const char *result, const char *error)
{
	struct fl_buf message = { 0 };
	struct fl_json *v = result != NULL ? fl_json_parse(result, strlen(result), NULL) : NULL;
	unsigned last = 0;

	gob_begin(&codec->out, out, &response, &message);
	if (*req->method != '\0') {
		put_field(&message, &last, 1);
		gob_put_string(&message, req->method);
	}
	if (req->seq != 0) {
		put_field(&message, &last, 2);
		gob_put_uint(&message, req->seq);
	}
	if (error != NULL) {
		put_field(&message, &last, 3);
		gob_put_string(&message, error);
	}
	gob_put_uint(&message, 0);
	gob_end(out, &message);
	gob_write(&codec->out, out, result != NULL ? type : &nothing, v);
	fl_json_free(v);
}

/* ---- JSON ---- */

/* How long the value is that begins with a bracket; 0: it does not end here. */
static size_t
value_len(const char *text, size_t len)
{
	bool in_string = false;
	size_t depth = 0;

	for (size_t i = 0; i < len; i++) {
		if (in_string && text[i] == '\\')
			i++;
		else if (text[i] == '"')
			in_string = !in_string;
		else if (!in_string && (text[i] == '{' || text[i] == '['))
			depth++;
		else if (!in_string && (text[i] == '}' || text[i] == ']') && --depth == 0)
			return i + 1;
	}
	return 0;
}

/* Null is the zero time, as where it is read into one. */
static bool
read_time(const struct fl_json *params, int64_t *time_us)
{
	const struct fl_json *param = fl_json_at(params, 0);

	if (fl_json_type(params) != FL_JSON_ARRAY || fl_json_len(params) == 0)
		return false;
	*time_us = GOB_TIME_ZERO_US;
	return fl_json_is_null(param) || fl_clock_parse(fl_json_str(param, ""), time_us) == 0;
}

static int
read_request(struct rpc_codec *codec, const struct fl_json *v, struct rpc_request *req, struct fl_err *err)
{
	const char *method = "";
	struct fl_buf id = { 0 };
	struct fl_jsonw w = fl_jsonw(&id);

	if (fl_json_member_str(v, "method", &method, err) == -1)
		return -1;
	fl_jsonw_value(&w, NULL, fl_json_get(v, "id"));
	*req = (struct rpc_request){ .method = fl_xstrdup(method), .seq = ++codec->last_seq, .id = fl_buf_detach(&id) };
	req->has_time = read_time(fl_json_get(v, "params"), &req->time_us);
	return 1;
}

static int
read_json(struct rpc_codec *codec, const char *data, size_t len, size_t *used, struct rpc_request *req, struct fl_err *err)
{
	struct fl_json *v = NULL;
	size_t start = 0, n;
	int rc = -1;

	while (start < len && strchr(" \t\r\n", data[start]) != NULL && data[start] != '\0')
		start++;
	*used = start;
	if (start == len)
		return 0;
	if (data[start] != '{')
		return fl_err_set(err, FL_ERR_INVALID, "a request is no JSON object");
	n = value_len(data + start, len - start);
	if (n > RPC_MAX_REQUEST || (n == 0 && len - start >= RPC_MAX_REQUEST))
		return fl_err_set(err, FL_ERR_TOO_BIG, "a request is longer than %zu bytes", RPC_MAX_REQUEST);
	if (n == 0)
		return 0;
	*used += n;
	if ((v = fl_json_parse(data + start, n, err)) != NULL)
		rc = read_request(codec, v, req, err);
	fl_json_free(v);
	return rc;
}

static void
write_json(struct fl_buf *out, const struct rpc_request *req, const char *result, const char *error)
{
	struct fl_jsonw w = fl_jsonw(out);

	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_raw(&w, "id", req->id);
	fl_jsonw_raw(&w, "result", result != NULL ? result : "{}");
	fl_jsonw_str(&w, "error", error);
	fl_jsonw_close(&w, '}');
	fl_buf_addc(out, '\n');
}

/* ---- either ---- */

int
rpc_codec_read(struct rpc_codec *codec, const char *data, size_t len, size_t *used, struct rpc_request *req, struct fl_err *err)
{
	return codec->is_json ? read_json(codec, data, len, used, req, err) : read_gob(codec, data, len, used, req, err);
}

void
rpc_codec_write(struct rpc_codec *codec, struct fl_buf *out, const struct rpc_request *req, const struct gob_type *type,
    const char *result, const char *error)
{
	if (codec->is_json)
		write_json(out, req, result, error);
	else
		write_gob(codec, out, req, type, result, error);
}
