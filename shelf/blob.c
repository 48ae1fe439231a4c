#include "shelf/blob.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/url.h"
#include "libflynn/utf8.h"
#include "libflynn/xmalloc.h"

#define FOLDER_MARK ','
#define MAGIC "flynn-shelf 1\n"

static bool
is_plain(unsigned char c, bool is_first)
{
	return (c < 0x80 && isalnum(c)) || c == '-' || c == '_' || (c == '.' && !is_first);
}

/* Appends one part of a path, escaped; mark: FOLDER_MARK or 0. */
static int
add_part(struct fl_buf *b, const char *part, size_t len, char mark, struct fl_err *err)
{
	size_t start = b->len;

	if (len == 0 || (len <= 2 && strspn(part, ".") >= len))
		return fl_err_set(err, FL_ERR_INVALID, "a path's parts must not be empty, \".\" or \"..\"");
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)part[i];

		if (is_plain(c, i == 0))
			fl_buf_addc(b, (char)c);
		else
			fl_buf_addf(b, "%%%02X", c);
	}
	if (mark != 0)
		fl_buf_addc(b, mark);
	if (b->len - start > NAME_MAX)
		return fl_err_set(err, FL_ERR_INVALID, "a part of the path is too long: \"%.40s...\"", part);
	return 0;
}

static int
path_check(const char *path, struct fl_err *err)
{
	size_t len = strlen(path);

	if (path[0] != '/')
		return fl_err_set(err, FL_ERR_INVALID, "a path starts with \"/\"");
	if (len > BLOB_PATH_MAX)
		return fl_err_set(err, FL_ERR_INVALID, "the path is longer than %d bytes", BLOB_PATH_MAX);
	for (const char *p = path; *p != '\0'; p++)
		if (iscntrl((unsigned char)*p))
			return fl_err_set(err, FL_ERR_INVALID, "the path has control characters in it");
	for (size_t i = 0, n; i < len; i += n)
		if ((n = fl_utf8_len(path + i, len - i)) == 0)
			return fl_err_set(err, FL_ERR_INVALID, "the path is not valid UTF-8");
	return 0;
}

static char *
translate(const char *path, bool is_folder, struct fl_err *err)
{
	struct fl_buf b = { 0 };
	int depth = 0;

	if (path_check(path, err) == -1)
		return NULL;
	for (const char *part = path + 1, *end; *part != '\0' || !is_folder; part = end) {
		size_t len = strcspn(part, "/");
		bool is_last = part[len] == '\0';

		end = part + len + !is_last;
		if (++depth > BLOB_DEPTH_MAX) {
			fl_err_set(err, FL_ERR_INVALID, "the path has more than %d parts", BLOB_DEPTH_MAX);
			goto failed;
		}
		if (b.len > 0)
			fl_buf_addc(&b, '/');
		if (add_part(&b, part, len, is_folder || !is_last ? FOLDER_MARK : '\0', err) == -1)
			goto failed;
		if (is_last)
			break;
	}
	return fl_buf_detach(&b);
failed:
	fl_buf_release(&b);
	return NULL;
}

char *
blob_file(const char *path, struct fl_err *err)
{
	return translate(path, false, err);
}

char *
blob_folder(const char *path, struct fl_err *err)
{
	return translate(path, true, err);
}

char *
blob_part(const char *file, bool *is_folder)
{
	size_t len = strlen(file);

	*is_folder = len > 0 && file[len - 1] == FOLDER_MARK;
	if (len == 0 || file[0] == '.')
		return NULL;
	return fl_url_decode(file, len - *is_folder, 0);
}

void
blob_head_write(const struct blob *b, const char *path, char head[BLOB_HEAD_LEN])
{
	memset(head, 0, BLOB_HEAD_LEN);
	snprintf(head, BLOB_HEAD_LEN, MAGIC "size %lld\nsha256 %s\nmodified %lld\ntype %s\npath %s\n",
	    (long long)b->size, b->hash, (long long)b->modified_s, b->type, path);
}

/* The value of the line that starts with name, at *at; *at is behind it then. */
static char *
take_line(char **at, const char *name)
{
	size_t name_len = strlen(name);
	char *value = *at + name_len, *end;

	if (strncmp(*at, name, name_len) != 0 || (end = strchr(value, '\n')) == NULL)
		return NULL;
	*end = '\0';
	*at = end + 1;
	return value;
}

static int
take_int(char **at, const char *name, int64_t *out)
{
	char *text = take_line(at, name), *end;

	if (text == NULL)
		return -1;
	*out = strtoll(text, &end, 10);
	return *text != '\0' && *end == '\0' ? 0 : -1;
}

static int
take_str(char **at, const char *name, char *out, size_t size)
{
	const char *text = take_line(at, name);

	if (text == NULL || strlen(text) >= size)
		return -1;
	memcpy(out, text, strlen(text) + 1);
	return 0;
}

int
blob_head_read(const char head[BLOB_HEAD_LEN], int64_t file_size, struct blob *b, struct fl_err *err)
{
	char text[BLOB_HEAD_LEN + 1], *at = text + sizeof(MAGIC) - 1;

	memcpy(text, head, BLOB_HEAD_LEN);
	text[BLOB_HEAD_LEN] = '\0';
	if (strncmp(text, MAGIC, sizeof(MAGIC) - 1) != 0 || take_int(&at, "size ", &b->size) == -1 ||
	    take_str(&at, "sha256 ", b->hash, sizeof(b->hash)) == -1 || take_int(&at, "modified ", &b->modified_s) == -1 ||
	    take_str(&at, "type ", b->type, sizeof(b->type)) == -1)
		return fl_err_set(err, FL_ERR_SYSTEM, "the blob's file has no valid head");
	if (b->size < 0 || file_size - BLOB_HEAD_LEN != b->size)
		return fl_err_set(err, FL_ERR_SYSTEM, "the blob's file is damaged: it should hold %lld bytes and holds %lld",
		    (long long)b->size, (long long)(file_size - BLOB_HEAD_LEN));
	return 0;
}
