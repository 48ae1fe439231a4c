/*
 * server - the PostgreSQL server as our child: initialised once, started, and never outlived.
 */
#ifndef POSTGRES_SERVER_H
#define POSTGRES_SERVER_H

struct event_base;
struct fl_err;
struct postgres_config;
struct server;

struct server_ops {
	/* The server process runs; it may still be recovering and refuse connections. */
	void (*on_started)(void *arg);
	/* It ended, or could not be started. Once; err NULL: it was told to. */
	void (*on_ended)(const struct fl_err *err, void *arg);
};

/*
 * Make the data directory if there is none (beside, then renamed: a reader never sees half of it), and run
 * the server on it. Callbacks come from the loop.
 */
struct server *server_start(struct event_base *base, const struct postgres_config *cfg, const struct server_ops *ops, void *arg);
/* Fast shutdown: sessions are ended, the data is checkpointed; then on_ended. */
void server_stop(struct server *s);
void server_free(struct server *s);

#endif
