/*
 * once - requests that have an Idempotency-Key (draft-ietf-httpapi-idempotency-key-header), where what they change is outside
 * the database: one that comes again is answered as before, and finds what it had begun.
 *
 * tx.h does the same for what is in the database, all in one transaction. Here it takes three steps: the key is noted, and what
 * is about to be made under which name; it is made; the answer is kept. Whoever is killed in between leaves the name, by which
 * the next one finds what is there. An answer that says why nothing was done takes the note away.
 */
#ifndef CONTROLLER_ONCE_H
#define CONTROLLER_ONCE_H

#include <stdbool.h>

#include "libflynn/http_server.h"

struct controller;
struct fl_err;

#define ONCE_HEADER "Idempotency-Key"
/* Frames have gone by, and a terminal is nobody else's. */
#define ONCE_NOT_ATTACHED "is for what can be answered again, and what is attached cannot: leave it out, or run a detached job"

/* With the key and once_request(): notes them; is the request the key's, and its answer (NULL: none yet). */
#define ONCE_NOTE                                                  \
	"INSERT INTO answered (key, request) VALUES ($1, $2)"      \
	" ON CONFLICT (key) DO UPDATE SET key = excluded.key RETURNING request = $2, answer"
/* What a key is told that was used before. */
#define ONCE_NOT_THIS "was another request's: choose a new one for each"

/* The request's key, borrowed; NULL: it has none. -1: it has one that is none, answered. */
int once_key(struct fl_http_req *req, const char **key);
/* What must be the same when a key comes again: a digest, the caller frees. */
char *once_request(struct fl_http_req *req);

/*
 * go(req, c), unless req has a key and was answered already. What go answers is kept for whoever asks again; it must be whole,
 * no stream. go may be called before this returns.
 */
void once(struct controller *c, struct fl_http_req *req, fl_http_handler go);

/* Borrowed for the call; NULL with err. */
typedef void (*once_cb)(const char *name, const struct fl_err *err, void *arg);

/* Of a request under once(): whether it has a key. */
bool once_is_asked(const struct fl_http_req *req);
/*
 * The same: what it is about to make will be called proposed, or as it was when the request came before. cb once; before this
 * returns and with proposed, if it has no key.
 */
void once_name(struct controller *c, struct fl_http_req *req, const char *proposed, once_cb cb, void *arg);

#endif
