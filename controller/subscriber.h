/*
 * subscriber - who follows something by server-sent events, or by other means: one query at a time for him, and no
 * more than he reads.
 *
 * A stream embeds it as the first member of what it knows of its reader. What is to be told stays in the database until
 * he has room for it, so a slow reader costs little; one who reads nothing for long is cut off by the HTTP server.
 */
#ifndef CONTROLLER_SUBSCRIBER_H
#define CONTROLLER_SUBSCRIBER_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>

#include "libflynn/list.h"

struct fl_err;
struct fl_http_req;
struct fl_pg;
struct subscriber;

TAILQ_HEAD(subscribers, subscriber);

struct subscriber_ops {
	/* Query for what he was not told yet, or do nothing. Called when he has room and no query is under way. */
	void (*look)(struct subscriber *s);
	/* Free the whole of it. */
	void (*free)(struct subscriber *s);
};

/* What takes it, where that is not a request of his own. */
struct subscriber_sink {
	/* Whether he took most of what he was sent; subscriber_pump() is to be called when he has. */
	bool (*has_room)(void *arg);
	void (*send)(const char *data, void *arg);
	/* He is freed: the stream is over, by an error when err is not NULL. */
	void (*end)(const struct fl_err *err, void *arg);
};

struct subscriber {
	TAILQ_ENTRY(subscriber) link;
	struct subscribers *all;
	const struct subscriber_ops *ops;
	struct fl_pg *pg;
	struct fl_http_req *req; /* both NULL: gone, freed when his query ends */
	const struct subscriber_sink *sink;
	void *sink_arg;
	void (*on_rows)(struct subscriber *s, const PGresult *res);
	bool started; /* the stream */
	bool busy;    /* a query is under way */
	bool dirty;   /* there may be something to tell */
};

void subscriber_join(struct subscriber *s, struct subscribers *all, const struct subscriber_ops *ops, struct fl_pg *pg,
    struct fl_http_req *req);
/* The same without a request. It ends by the sink's end, or by subscriber_leave(). */
void subscriber_join_sink(struct subscriber *s, struct subscribers *all, const struct subscriber_ops *ops, struct fl_pg *pg,
    const struct subscriber_sink *sink, void *arg);
/* He wants no more; the sink is not called again. */
void subscriber_leave(struct subscriber *s);
/*
 * One statement for him. on_rows comes only while he is there; an error ends him: with an answer, or when the stream has
 * started by its end, upon which the client comes again.
 */
void subscriber_query(struct subscriber *s, const char *sql, const char *const *params, size_t n_params,
    void (*on_rows)(struct subscriber *s, const PGresult *res));
/* Begin the stream. */
void subscriber_start(struct subscriber *s);
/* An event without name and number, or the sink's. */
void subscriber_send(struct subscriber *s, const char *data);
/* Whether he took most of what he was sent. */
bool subscriber_has_room(const struct subscriber *s);
/* Look, if something is to be told and he can be told. */
void subscriber_pump(struct subscriber *s);
/* There may be something to tell: look now, or as soon as he can be told. */
void subscriber_stir(struct subscriber *s);
/* He is freed: what he would follow is not there; the stream is over. */
void subscriber_not_found(struct subscriber *s);
void subscriber_end(struct subscriber *s);

void subscribers_stir(struct subscribers *all);
/* The requests are gone already. */
void subscribers_free(struct subscribers *all);

#endif
