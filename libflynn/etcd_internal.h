/*
 * etcd_internal - what the files of the etcd client share.
 *
 * etcd.c sends requests and renews the token, etcd_auth.c gets one, etcd_kv.c is keys, etcd_lease.c leases,
 * etcd_mirror.c a prefix that is followed, etcd_grpc.c how much is read at once.
 */
#ifndef FL_ETCD_INTERNAL_H
#define FL_ETCD_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/etcd.h"
#include "libflynn/list.h"

struct etcd_op;
struct event_base;
struct fl_http_call;
struct fl_http_client;
struct fl_json;

struct fl_etcd {
	struct event_base *base;
	struct fl_http_client *http;
	char **urls;
	size_t n_urls, at; /* at: the one in use */
	char *key;	   /* NULL: no authentication */
	char *token;
	struct fl_http_call *auth_call;
	int auth_step, auth_tries;
	TAILQ_HEAD(, etcd_op) waiting; /* for a token */
	TAILQ_HEAD(, etcd_op) sent;
	bool in_cb, freed;
};

/* json is the answer (borrowed), or NULL with err. Called once, as the last thing that is done with the op. */
typedef void (*etcd_op_cb)(const struct fl_json *json, const struct fl_err *err, void *arg);

/*
 * POST body (taken) to path. again: asking twice does no harm, so another member may be tried. drop (may be NULL)
 * frees arg when cb will not be called.
 */
struct etcd_op *etcd_op_start(struct fl_etcd *e, const char *path, struct fl_buf *body, bool again, etcd_op_cb cb,
    void (*drop)(void *arg), void *arg);
/* No callback any more, but drop. NULL is fine. */
void etcd_op_cancel(struct etcd_op *op);
/* As start, for an answer without end: cb ends it, on_data gets its pieces. */
struct etcd_op *etcd_stream_start(struct fl_etcd *e, const char *path, struct fl_buf *body,
    int (*on_data)(const char *data, size_t len, void *arg), etcd_op_cb cb, void *arg);

/*
 * As start, but asked by gRPC first: its answer, message alone, goes to on_grpc, as the last thing that is done with
 * the op. Only when none comes is body posted to path.
 */
struct etcd_op *etcd_grpc_start(struct fl_etcd *e, const char *method, struct fl_buf *message, const char *path,
    struct fl_buf *body, void (*on_grpc)(const char *data, size_t len, void *arg), etcd_op_cb cb, void *arg);

/* etcd_grpc.c: the message of a RangeRequest for all with a prefix. */
void etcd_grpc_range(struct fl_buf *b, const char *prefix);
/*
 * A RangeResponse: its keys in the order of their creation, each borrowed by each(), which returns false to end it.
 * rev: the store's revision. -1 with err when it is none.
 */
int etcd_grpc_each(const char *data, size_t len, int64_t *rev, bool (*each)(const struct fl_etcd_kv *kv, void *arg),
    void *arg, struct fl_err *err);

/* Get a token; ends in etcd_auth_done(). */
void etcd_auth_start(struct fl_etcd *e);
void etcd_auth_done(struct fl_etcd *e, const struct fl_err *err);
/* Turn to the next member. */
void etcd_next_url(struct fl_etcd *e);

/* etcd writes 64-bit numbers as strings, and leaves out zeros. */
int64_t etcd_int(const struct fl_json *v);
/* What etcd's error body means; message is "" when it has none. */
void etcd_err(int status, const char *message, struct fl_err *err);
/* Members "key" and "range_end" that select all keys with a prefix. */
struct fl_jsonw;
void etcd_write_prefix(struct fl_jsonw *w, const char *prefix);
/* A decoded key-value; its strings are the caller's to free. */
int etcd_read_kv(const struct fl_json *v, struct fl_etcd_kv *kv, struct fl_err *err);
void etcd_kv_release(struct fl_etcd_kv *kv);

#endif
