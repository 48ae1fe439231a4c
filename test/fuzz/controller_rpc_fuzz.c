/*
 * controller_rpc_fuzz - what a client of /_goRPC_ may send: it says the same however it is cut, and the replies can be read.
 *
 * The first byte: whether it speaks JSON, and how long the pieces are.
 */
#include <stdint.h>
#include <string.h>

#include "controller/formation_gob.h"
#include "controller/rpc_codec.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/json.h"
#include "test/fuzz/expect.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What the requests are, up to the first that is none. */
static void
read_all(struct rpc_codec *codec, const char *data, size_t size, size_t step, struct fl_buf *said, struct fl_buf *replies)
{
	static const char formation[] = "{\"app\":{\"id\":\"a\",\"meta\":{\"k\":\"\"}},\"processes\":{\"web\":-1},\"updated_at\":\"2014-08-02T01:02:03Z\"}";
	struct rpc_request req = { 0 };
	struct fl_err err = { 0 };
	size_t at = 0, there = 0, used;
	int rc = 0;

	while (rc == 1 || (rc == 0 && there < size)) {
		if (rc == 0)
			there += step < size - there ? step : size - there;
		rc = rpc_codec_read(codec, data + at, there - at, &used, &req, &err);
		expect(used <= there - at);
		at += used;
		if (rc != 1)
			continue;
		fl_buf_addf(said, "%s %llu %s %d %lld\n", req.method, (unsigned long long)req.seq, req.id != NULL ? req.id : "", req.has_time,
		    req.has_time ? (long long)req.time_us : 0);
		rpc_codec_write(codec, replies, &req, &formation_gob, formation, NULL);
		rpc_codec_write(codec, replies, &req, &formation_gob, NULL, req.method);
		rpc_request_release(&req);
	}
	expect((rc == -1) == (err.kind != FL_ERR_NONE));
	rpc_codec_release(codec);
}

static void
expect_gob(const struct fl_buf *replies)
{
	struct gob_reader r = { 0 };
	struct gob_value v;
	size_t used;
	int rc;

	for (size_t at = 0; at < replies->len; at += used) {
		struct fl_err err = { 0 };

		rc = gob_read(&r, replies->data + at, replies->len - at, &v, &used, &err);
		if (rc == -1 && err.kind == FL_ERR_TOO_BIG) /* a method that nearly was, said twice */
			return;
		expect(rc == 1);
	}
}

static void
expect_json(const struct fl_buf *replies)
{
	for (const char *line = fl_buf_cstr(replies), *end; *line != '\0'; line = end + 1) {
		struct fl_json *v;

		expect((end = strchr(line, '\n')) != NULL);
		expect((v = fl_json_parse(line, (size_t)(end - line), NULL)) != NULL);
		fl_json_free(v);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fl_buf whole = { 0 }, cut = { 0 }, replies = { 0 }, again = { 0 };
	struct rpc_codec a = { 0 }, b = { 0 };

	if (size < 2)
		return 0;
	a.is_json = b.is_json = data[0] & 1;
	read_all(&a, (const char *)data + 1, size - 1, size, &whole, &replies);
	read_all(&b, (const char *)data + 1, size - 1, (size_t)(data[0] >> 1) + 1, &cut, &again);
	expect(strcmp(fl_buf_cstr(&whole), fl_buf_cstr(&cut)) == 0);
	if (a.is_json)
		expect_json(&replies);
	else
		expect_gob(&replies);
	fl_buf_release(&whole);
	fl_buf_release(&cut);
	fl_buf_release(&replies);
	fl_buf_release(&again);
	return 0;
}
