/* upload - PUT a file, and know that it has arrived. */
#include "slugbuilder/upload.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/xmalloc.h"
#include "slugbuilder/transfer.h"

#define ATTEMPTS 3
#define FIRST_PAUSE_MS 500

struct body {
	int fd;
	off_t at;
};

static size_t
on_send(char *to, size_t size, size_t n, void *arg)
{
	struct body *b = arg;
	ssize_t got = pread(b->fd, to, size * n, b->at);

	if (got == -1)
		return CURL_READFUNC_ABORT;
	b->at += got;
	return (size_t)got;
}

/* A connection kept from before may turn out dead, and a redirect wants the body once more. */
static int
on_seek(void *arg, curl_off_t offset, int origin)
{
	struct body *b = arg;

	if (origin != SEEK_SET)
		return CURL_SEEKFUNC_CANTSEEK;
	b->at = offset;
	return CURL_SEEKFUNC_OK;
}

static size_t
on_answer(char *data, size_t size, size_t n, void *arg)
{
	struct fl_buf *answer = arg;
	size_t room = TRANSFER_ANSWER_MAX - answer->len, len = size * n;

	fl_buf_add(answer, data, len < room ? len : room);
	return len;
}

static int
upload_once(const char *url, int fd, int64_t size, const struct curl_slist *headers, struct fl_err *err)
{
	struct body body = { .fd = fd };
	struct fl_buf answer = { 0 };
	CURL *curl = transfer_new(url);
	CURLcode result;
	long status = 0;
	int rc = -1;

	if (curl == NULL)
		return fl_err_set(err, FL_ERR_SYSTEM, "cannot start libcurl");
	curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
	curl_easy_setopt(curl, CURLOPT_UPLOAD_BUFFERSIZE, 1L << 20);
	curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)size);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_READFUNCTION, on_send);
	curl_easy_setopt(curl, CURLOPT_READDATA, &body);
	curl_easy_setopt(curl, CURLOPT_SEEKFUNCTION, on_seek);
	curl_easy_setopt(curl, CURLOPT_SEEKDATA, &body);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_answer);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer);
	result = curl_easy_perform(curl);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	if (status == 0 || (result != CURLE_OK && status / 100 == 2))
		transfer_fail(curl, "PUT", curl_easy_strerror(result), NULL, err);
	else if (status != 200 && status != 201)
		transfer_fail(curl, "PUT", NULL, &answer, err);
	else
		rc = 0;
	curl_easy_cleanup(curl);
	fl_buf_release(&answer);
	return rc;
}

static int
is_passing(enum fl_err_kind kind)
{
	return kind == FL_ERR_UNAVAILABLE || kind == FL_ERR_TIMEOUT || kind == FL_ERR_SYSTEM;
}

int
upload(const char *url, int fd, int64_t size, const char *media_type, struct fl_err *err)
{
	char *type = fl_xasprintf("Content-Type: %s", media_type);
	/* "Expect: 100-continue" makes curl wait a second for servers that do not know it. */
	struct curl_slist *headers = curl_slist_append(curl_slist_append(NULL, "Expect:"), type);
	struct fl_err last = { 0 };
	int rc = -1;

	for (int attempt = 0; attempt < ATTEMPTS && rc == -1; attempt++) {
		if (attempt > 0) {
			long ms = FIRST_PAUSE_MS << (attempt - 1);

			if (!is_passing(last.kind))
				break;
			nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 }, NULL);
		}
		rc = upload_once(url, fd, size, headers, &last);
	}
	if (rc == -1 && err != NULL)
		*err = last;
	curl_slist_free_all(headers);
	free(type);
	return rc;
}
