/*
 * api - blobs over HTTP: GET, HEAD, PUT, DELETE of any path, and a listing at "/?dir=".
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/http_server.h"
#include "libflynn/json.h"
#include "libflynn/log.h"
#include "libflynn/xmalloc.h"
#include "shelf/blob.h"
#include "shelf/range.h"
#include "shelf/shelf.h"
#include "shelf/store.h"

#define DEFAULT_TYPE "application/octet-stream"
#define ETAG_LEN (BLOB_HASH_LEN + 3)

/* A whole listing is in memory, so one of more names is refused. */
#define LIST_MAX 100000

static void
etag_of(const struct blob *b, char out[ETAG_LEN])
{
	snprintf(out, ETAG_LEN, "\"%s\"", b->hash);
}

static void
get_blob(struct fl_http_req *req, void *arg)
{
	struct shelf *s = arg;
	const struct range_headers headers = {
		.range = fl_http_header(req, "Range"),
		.if_range = fl_http_header(req, "If-Range"),
		.if_none_match = fl_http_header(req, "If-None-Match"),
		.if_modified_since = fl_http_header(req, "If-Modified-Since"),
	};
	char etag[ETAG_LEN], date[RANGE_DATE_LEN], content_range[80];
	struct blob b;
	struct range r;
	struct fl_err err = { 0 };
	int fd = store_get(s->store, fl_http_path(req), &b, &err);

	if (fd == -1) {
		fl_http_reply_err(req, &err);
		return;
	}
	etag_of(&b, etag);
	range_date(b.modified_s, date);
	r = range_of(&headers, &(struct range_stored){ etag, b.modified_s, b.size });
	fl_http_add_header(req, "ETag", etag);
	fl_http_add_header(req, "Last-Modified", date);
	fl_http_add_header(req, "Accept-Ranges", "bytes");
	if (r.status == 304 || r.status == 416) {
		snprintf(content_range, sizeof(content_range), "bytes */%lld", (long long)b.size);
		if (r.status == 416)
			fl_http_add_header(req, "Content-Range", content_range);
		close(fd);
		fl_http_reply(req, r.status, NULL, NULL, 0);
		return;
	}
	if (r.status == 206) {
		snprintf(content_range, sizeof(content_range), "bytes %lld-%lld/%lld", (long long)r.offset,
		    (long long)(r.offset + r.length - 1), (long long)b.size);
		fl_http_add_header(req, "Content-Range", content_range);
	}
	s->bytes_out += strcmp(fl_http_method(req), "HEAD") != 0 ? (uint64_t)r.length : 0;
	fl_http_reply_file(req, r.status, b.type[0] != '\0' ? b.type : DEFAULT_TYPE, fd, BLOB_HEAD_LEN + r.offset, r.length);
}

/* A PUT under way. */
struct put {
	struct shelf *shelf;
	struct upload *upload;
	char *path;
};

static void
put_free(struct put *p)
{
	upload_abort(p->upload);
	free(p->path);
	free(p);
}

static void
put_refuse(struct fl_http_req *req, struct put *p, const struct fl_err *err)
{
	fl_log_warn("a blob was not stored", fl_str("path", p->path), fl_str("err", err->msg));
	put_free(p);
	fl_http_reply_err(req, err);
}

static void
on_put_data(struct fl_http_req *req, const char *data, size_t len, void *arg)
{
	struct put *p = arg;
	struct fl_err err = { 0 };

	p->shelf->bytes_in += len;
	if (upload_write(p->upload, data, len, &err) == -1)
		put_refuse(req, p, &err);
}

static void
on_put_end(struct fl_http_req *req, const struct fl_err *broken, void *arg)
{
	struct put *p = arg;
	struct upload *u = p->upload;
	char etag[ETAG_LEN];
	struct blob b;
	struct fl_err err = { 0 };

	if (broken != NULL) {
		put_refuse(req, p, broken);
		return;
	}
	p->upload = NULL;
	if (upload_commit(u, &b, &err) == -1) {
		put_refuse(req, p, &err);
		return;
	}
	fl_log_info("stored a blob", fl_str("path", p->path), fl_int("bytes", b.size));
	put_free(p);
	etag_of(&b, etag);
	fl_http_add_header(req, "ETag", etag);
	fl_http_reply(req, 200, NULL, NULL, 0);
}

static void
put_blob(struct fl_http_req *req, void *arg)
{
	struct shelf *s = arg;
	const char *type = fl_http_header(req, "Content-Type");
	struct upload *u = NULL;
	struct put *p;
	struct fl_err err = { 0 };

	if (fl_http_header(req, "Content-Range") != NULL) /* RFC 9110, 14.5 */
		fl_err_set(&err, FL_ERR_INVALID, "a blob is written as a whole: no Content-Range");
	else
		u = upload_start(s->store, fl_http_path(req), type != NULL ? type : "", fl_http_body_length(req), &err);
	if (u == NULL) {
		if (err.kind == FL_ERR_NO_SPACE)
			fl_log_warn("a blob was not stored", fl_str("path", fl_http_path(req)), fl_str("err", err.msg));
		fl_http_reply_err(req, &err);
		return;
	}
	p = fl_xcalloc(1, sizeof(*p));
	*p = (struct put){ .shelf = s, .upload = u, .path = fl_xstrdup(fl_http_path(req)) };
	fl_http_body_read(req, on_put_data, on_put_end, p);
}

/* What is not there is deleted already, as it was for the original. */
static void
delete_blob(struct fl_http_req *req, void *arg)
{
	struct shelf *s = arg;
	struct fl_err err = { 0 };

	if (store_delete(s->store, fl_http_path(req), &err) == -1 && err.kind != FL_ERR_NOT_FOUND) {
		fl_http_reply_err(req, &err);
		return;
	}
	if (err.kind == FL_ERR_NONE)
		fl_log_info("deleted a blob", fl_str("path", fl_http_path(req)));
	fl_http_reply(req, 200, NULL, NULL, 0);
}

struct names {
	char **items;
	size_t n, cap;
	bool is_cut;
};

static void
add_name(const char *name, void *arg)
{
	struct names *l = arg;

	if (l->n == LIST_MAX) {
		l->is_cut = true;
		return;
	}
	if (l->n == l->cap) {
		l->cap = l->cap > 0 ? 2 * l->cap : 64;
		l->items = fl_xreallocarray(l->items, l->cap, sizeof(*l->items));
	}
	l->items[l->n++] = fl_xstrdup(name);
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void
reply_names(struct fl_http_req *req, const char *dir, const struct names *l)
{
	bool slash = dir[strlen(dir) - 1] == '/';
	struct fl_buf b = { 0 };
	struct fl_jsonw w = fl_jsonw(&b);

	fl_jsonw_open(&w, NULL, '[');
	for (size_t i = 0; i < l->n; i++) {
		char *path = fl_xasprintf("%s%s%s", dir, slash ? "" : "/", l->items[i]);

		fl_jsonw_str(&w, NULL, path);
		free(path);
	}
	fl_jsonw_close(&w, ']');
	fl_http_reply_json(req, 200, &b);
	fl_buf_release(&b);
}

static void
list_blobs(struct fl_http_req *req, void *arg)
{
	struct shelf *s = arg;
	const char *dir = fl_http_query(req, "dir");
	struct names l = { 0 };
	struct fl_err err = { 0 };

	if (dir == NULL || *dir == '\0')
		dir = "/";
	if (store_list(s->store, dir, add_name, &l, &err) == 0 && l.is_cut)
		fl_err_set(&err, FL_ERR_TOO_BIG, "there are more than %d blobs under %s", LIST_MAX, dir);
	if (err.kind != FL_ERR_NONE) {
		fl_http_reply_err(req, &err);
	} else {
		if (l.n > 0)
			qsort(l.items, l.n, sizeof(*l.items), compare_names);
		reply_names(req, dir, &l);
	}
	for (size_t i = 0; i < l.n; i++)
		free(l.items[i]);
	free(l.items);
}

static const struct fl_http_route routes[] = {
	{ "GET", "/", list_blobs, 0 },
	{ "GET", "/*", get_blob, FL_HTTP_SIGNED },
	{ "PUT", "/*", put_blob, FL_HTTP_SIGNED | FL_HTTP_STREAM_BODY },
	{ "DELETE", "/*", delete_blob, 0 },
};

int
api_listen(struct shelf *s, const char *addr, struct fl_err *err)
{
	return fl_http_listen(s->http, addr, routes, fl_nitems(routes), s, err);
}
