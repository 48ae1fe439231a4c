#include "controller/body.h"

#include <stdlib.h>
#include <string.h>

#include "controller/answer.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/http_server.h"
#include "libflynn/json.h"
#include "libflynn/xmalloc.h"

/* The body, an object; NULL with INVALID or TOO_BIG. */
static const struct fl_json *
read_object(struct fl_http_req *req, size_t max_bytes, struct fl_err *err)
{
	const struct fl_json *v;
	struct fl_err why = { 0 };
	size_t len = 0;

	fl_http_body(req, &len);
	if (len > max_bytes) {
		fl_err_set(err, FL_ERR_TOO_BIG, "The provided JSON input is too big: %zu bytes, and at most %zu are taken",
		    len, max_bytes);
		return NULL;
	}
	v = fl_http_json(req, &why);
	if (v != NULL && fl_json_type(v) == FL_JSON_OBJECT)
		return v;
	fl_err_set(err, FL_ERR_INVALID, "The provided JSON input is invalid: %s", v == NULL ? why.msg : "it is no object");
	return NULL;
}

const struct fl_json *
body_object(struct fl_http_req *req, size_t max_bytes)
{
	struct fl_err err = { 0 };
	const struct fl_json *v = read_object(req, max_bytes, &err);

	if (v == NULL)
		answer_err(req, NULL, &err);
	return v;
}

int
body_bind(struct fl_http_req *req, const struct fl_json **out)
{
	const char *type = fl_http_header(req, "Content-Type");
	struct fl_err err = { 0 };
	size_t len = 0;

	*out = NULL;
	if (type == NULL || strstr(type, "json") == NULL) {
		answer_unbound(req, type == NULL || *type == '\0' ? "Empty Content-Type" : "Unsupported Content-Type", NULL);
		return -1;
	}
	fl_http_body(req, &len);
	if (len == 0)
		return 0;
	*out = read_object(req, BODY_MAX, &err);
	if (*out == NULL)
		answer_unbound(req, NULL, &err);
	return *out == NULL ? -1 : 0;
}

int
body_id(struct fl_http_req *req, const struct fl_json *obj, const char *key, char out[FL_UUID_LEN + 1])
{
	const char *text = "";
	struct fl_err err = { 0 };

	*out = '\0';
	if (fl_json_member_str(obj, key, &text, &err) == -1) {
		answer_err(req, key, &err);
		return -1;
	}
	if (*text != '\0' && !fl_uuid_parse(text, out)) {
		answer_invalid(req, key, "\"%.80s\" is no id: it has 32 hexadecimal digits", text);
		return -1;
	}
	return 0;
}

/* Whether s has a control character other than those of white space. */
static int
has_control(const char *s)
{
	for (; *s != '\0'; s++)
		if (((unsigned char)*s < ' ' && strchr("\t\r\n", *s) == NULL) || *s == 0x7f)
			return 1;
	return 0;
}

int
body_str(struct fl_http_req *req, const struct fl_json *obj, const char *key, size_t max, const char **out)
{
	const char *text = *out;
	struct fl_err err = { 0 };

	if (fl_json_member_str(obj, key, &text, &err) == -1) {
		answer_err(req, key, &err);
		return -1;
	}
	if (text != NULL && strlen(text) > max) {
		answer_invalid(req, key, "is too long: %zu bytes, and at most %zu are taken", strlen(text), max);
		return -1;
	}
	if (text != NULL && has_control(text)) {
		answer_invalid(req, key, "has control characters");
		return -1;
	}
	*out = text;
	return 0;
}

int
body_check_strings(const struct fl_json *v, const char *what, struct fl_err *err)
{
	if (fl_json_is_null(v))
		return 0;
	if (fl_json_type(v) != FL_JSON_OBJECT)
		return fl_err_set(err, FL_ERR_INVALID, "%s must be an object of strings", what);
	for (size_t i = 0; i < fl_json_len(v); i++)
		if (fl_json_type(fl_json_at(v, i)) != FL_JSON_STRING)
			return fl_err_set(err, FL_ERR_INVALID, "%s must be an object of strings, and \"%.80s\" is none",
			    what, fl_json_key_at(v, i));
	return 0;
}

int
body_check_words(const struct fl_json *v, const char *what, struct fl_err *err)
{
	if (fl_json_is_null(v))
		return 0;
	if (fl_json_type(v) != FL_JSON_ARRAY)
		return fl_err_set(err, FL_ERR_INVALID, "%s must be an array of strings", what);
	for (size_t i = 0; i < fl_json_len(v); i++)
		if (fl_json_type(fl_json_at(v, i)) != FL_JSON_STRING)
			return fl_err_set(err, FL_ERR_INVALID, "%s must be an array of strings", what);
	return 0;
}

char *
body_text(const struct fl_json *v, const char *def)
{
	struct fl_buf b = { 0 };
	struct fl_jsonw w = fl_jsonw(&b);

	if (fl_json_is_null(v))
		return fl_xstrdup_null(def);
	fl_jsonw_value(&w, NULL, v);
	return fl_buf_detach(&b);
}
