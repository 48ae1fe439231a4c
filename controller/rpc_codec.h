/*
 * rpc_codec - requests and replies of Go's net/rpc, as the original's fork of it has them: by gob or by JSON.
 *
 * It takes and gives bytes of one connection. A reply of a stream is one of many to the same request; the last has an
 * error, "EOS" when that is none.
 */
#ifndef CONTROLLER_RPC_CODEC_H
#define CONTROLLER_RPC_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controller/gob_read.h"
#include "controller/gob_write.h"

struct fl_buf;
struct fl_err;

/* No request is longer. */
#define RPC_MAX_REQUEST GOB_MAX_MESSAGE

struct rpc_request {
	char *method;
	uint64_t seq; /* by JSON: our own number, as in the original, so that CloseStream finds nothing */
	char *id;     /* by JSON: any value; else NULL */
	bool has_time; /* the argument is one */
	int64_t time_us;
};

/* Zero at first but for is_json. */
struct rpc_codec {
	bool is_json;
	uint64_t last_seq; /* JSON's */
	struct gob_reader in;
	struct gob_writer out;
	struct rpc_request header; /* the argument is still to come */
};

/*
 * Take the next request off data. 1: req is it, which rpc_request_release() frees; 0: more bytes are wanted; -1: INVALID
 * or TOO_BIG, and nothing more can be read. used bytes are done with in each case.
 */
int rpc_codec_read(struct rpc_codec *codec, const char *data, size_t len, size_t *used, struct rpc_request *req, struct fl_err *err);
/* Append the reply to req: a result, which is of type and JSON text, or (result NULL) an error. */
void rpc_codec_write(struct rpc_codec *codec, struct fl_buf *out, const struct rpc_request *req, const struct gob_type *type,
    const char *result, const char *error);
void rpc_codec_release(struct rpc_codec *codec);
void rpc_request_release(struct rpc_request *req);

#endif
