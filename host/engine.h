/*
 * engine - the machine's Docker engine: calls of its API, and whether it is there.
 *
 * The API version is negotiated at each connection: the newest that both speak. One stream of events is held open
 * at all times; its end is how we learn that the engine is gone. Nothing is assumed about what happened meanwhile:
 * on_up is told each time, and looks.
 */
#ifndef HOST_ENGINE_H
#define HOST_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libflynn/attr.h"
#include "libflynn/http_client.h"

struct engine;
struct event_base;
struct fl_err;

struct engine_event {
	const char *action; /* "die", "oom" */
	const char *container_id;
	const char *host_id, *job_id; /* by its labels; "" when it has none */
	int64_t time_us;	      /* the engine's wall clock */
};

struct engine_ops {
	/* The engine answers, for the first time or again. */
	void (*on_up)(void *arg);
	void (*on_down)(void *arg);
	void (*on_event)(const struct engine_event *ev, void *arg);
};

struct engine *engine_new(struct event_base *base, const char *socket_path, const struct engine_ops *ops, void *arg);
void engine_free(struct engine *e);

bool engine_is_up(const struct engine *e);
/* "20.10.24" and "1.41"; "" when it never answered. */
const char *engine_version(const struct engine *e);
const char *engine_api_version(const struct engine *e);
/* The architecture that it runs images of, in its own word: "amd64"; "" when it never said. */
const char *engine_arch(const struct engine *e);
const char *engine_socket(const struct engine *e);
/* The path of a call with the API version in front; the caller frees. */
char *engine_path(const struct engine *e, const char *path);

struct engine_call {
	const char *method; /* NULL: GET */
	const char *body;   /* JSON; NULL: none. Copied. */
	int timeout_ms;	    /* 0: 60 s; -1: none */
	int idle_timeout_ms;
	size_t max_body; /* 0: as in http_client.h */
	int (*on_data)(const char *data, size_t len, void *arg);
};

/* A GET of a list of containers, which are described at length: its answer is for engine_parse(). */
extern const struct engine_call engine_get_containers;

/*
 * Call the path made by the format, which starts behind the version ("/containers/..."). call NULL: a plain GET. cb as in
 * http_client.h.
 */
struct fl_http_call *engine_start(struct engine *e, const struct engine_call *call, fl_http_client_cb cb, void *arg,
    const char *fmt, ...) FL_PRINTF(5, 6);

/* Ask for what the engine knows of a container, by its id or name. cb as of engine_start(); the answer is for engine_parse(). */
struct fl_http_call *engine_inspect(struct engine *e, const char *container, fl_http_client_cb cb, void *arg);

/* It takes no new connections, so it is ending, though it still serves those it has: as good as gone. */
void engine_give_up(struct engine *e);

/* The JSON of an answer, however long: a list of containers, or what the engine knows of one. */
struct fl_json *engine_parse(const struct fl_http_result *res, struct fl_err *err);

/* A call whose outcome changes nothing for us: a failure is logged. */
void engine_forget(struct engine *e, const struct engine_call *call, const char *fmt, ...) FL_PRINTF(3, 4);

/*
 * What came of a call: 0 for a 2xx or 304 answer. Else -1 and err in the engine's own words behind what;
 * UNAVAILABLE means that no answer came, so that nobody knows what was done.
 */
int engine_check(const struct engine *e, const struct fl_http_result *res, const struct fl_err *call_err, const char *what,
    struct fl_err *err);

/*
 * Whether the engine takes new connections: one that is shutting down ends its containers while it still serves
 * the connections it has. cb once, from the loop, within two seconds.
 */
struct engine_probe;
struct engine_probe *engine_probe_start(struct engine *e, void (*cb)(bool alive, void *arg), void *arg);
void engine_probe_cancel(struct engine_probe *p);

/* The newest API version that both speak, as a string in the engine's "1.N" form: a pure function for tests. -1: none. */
int engine_negotiate(const char *newest, const char *oldest, struct fl_err *err);

#endif
