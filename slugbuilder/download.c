/* download - a GET whose body is pulled, block by block, by who needs it. */
#include "slugbuilder/download.h"

#include <stdbool.h>
#include <stdlib.h>

#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/xmalloc.h"
#include "slugbuilder/transfer.h"

/* libcurl hands over at most this much at once, and is held back while we have more. */
#define BLOCK_BYTES (256u << 10)

struct download {
	CURL *curl;
	CURLM *multi;
	struct fl_buf next, lent; /* what has come; what the reader has */
	bool paused, done;
	CURLcode result;
};

static size_t
on_data(char *data, size_t size, size_t n, void *arg)
{
	struct download *d = arg;

	if (d->next.len >= BLOCK_BYTES) {
		d->paused = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	fl_buf_add(&d->next, data, size * n);
	return size * n;
}

/* Go on until something has come, or all. */
static void
drive(struct download *d)
{
	while (d->next.len == 0 && !d->done) {
		int running = 0, left = 0;
		CURLMsg *msg;

		if (d->paused) {
			d->paused = false;
			curl_easy_pause(d->curl, CURLPAUSE_CONT); /* may call on_data */
			continue;
		}
		if (curl_multi_perform(d->multi, &running) != CURLM_OK) {
			d->result = CURLE_RECV_ERROR;
			d->done = true;
			return;
		}
		while ((msg = curl_multi_info_read(d->multi, &left)) != NULL) {
			if (msg->msg == CURLMSG_DONE) {
				d->result = msg->data.result;
				d->done = true;
			}
		}
		if (d->next.len == 0 && !d->done)
			curl_multi_poll(d->multi, NULL, 0, 1000, NULL);
	}
}

/* What the body says of a status that is no 200. */
static int
refuse(struct download *d, struct fl_err *err)
{
	while (!d->done && d->next.len < TRANSFER_ANSWER_MAX) {
		size_t had = d->next.len;
		int running = 0;

		if (curl_multi_perform(d->multi, &running) != CURLM_OK || running == 0)
			break;
		if (d->next.len == had)
			curl_multi_poll(d->multi, NULL, 0, 1000, NULL);
	}
	return transfer_fail(d->curl, "GET", NULL, &d->next, err);
}

struct download *
download_new(const char *url, struct fl_err *err)
{
	struct download *d = fl_xcalloc(1, sizeof(*d)), *started = NULL;
	long status = 0;

	d->curl = transfer_new(url);
	d->multi = curl_multi_init();
	if (d->curl == NULL || d->multi == NULL) {
		fl_err_set(err, FL_ERR_SYSTEM, "cannot start libcurl");
		goto out;
	}
	curl_easy_setopt(d->curl, CURLOPT_BUFFERSIZE, (long)BLOCK_BYTES);
	curl_easy_setopt(d->curl, CURLOPT_WRITEFUNCTION, on_data);
	curl_easy_setopt(d->curl, CURLOPT_WRITEDATA, d);
	curl_multi_add_handle(d->multi, d->curl);
	drive(d);
	if (d->done && d->result != CURLE_OK && d->next.len == 0) { /* else reading will come to it */
		transfer_fail(d->curl, "GET", curl_easy_strerror(d->result), NULL, err);
		goto out;
	}
	curl_easy_getinfo(d->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status != 200) {
		refuse(d, err);
		goto out;
	}
	started = d;
	d = NULL;
out:
	download_free(d);
	return started;
}

void
download_free(struct download *d)
{
	if (d == NULL)
		return;
	if (d->multi != NULL && d->curl != NULL)
		curl_multi_remove_handle(d->multi, d->curl);
	curl_easy_cleanup(d->curl);
	curl_multi_cleanup(d->multi);
	fl_buf_release(&d->next);
	fl_buf_release(&d->lent);
	free(d);
}

ssize_t
download_read(void *download, const void **block, struct fl_err *err)
{
	struct download *d = download;
	struct fl_buf swap;

	fl_buf_clear(&d->lent);
	drive(d);
	if (d->next.len == 0 && d->result != CURLE_OK)
		return transfer_fail(d->curl, "GET", curl_easy_strerror(d->result), NULL, err);
	swap = d->lent;
	d->lent = d->next;
	d->next = swap;
	*block = fl_buf_cstr(&d->lent);
	return (ssize_t)d->lent.len;
}
