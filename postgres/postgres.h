/*
 * postgres - flynn-postgres: one PostgreSQL server and the small API that makes databases in it.
 *
 * The superuser exists only on the unix socket, by peer authentication: it has no password, so
 * there is none to leak. Whoever comes by TCP has a role of his own, made by POST /databases.
 */
#ifndef POSTGRES_POSTGRES_H
#define POSTGRES_POSTGRES_H

struct event_base;
struct fl_err;
struct fl_http;
struct fl_pg;
struct server;

struct postgres_config {
	char *data;	/* directory of the cluster's data */
	char *socket_dir;
	char *service;	/* the name it is found by */
	char *key;	/* of the API */
	int port, api_port;
};

struct postgres {
	const struct postgres_config *cfg;
	struct event_base *base;
	struct server *server;
	struct fl_pg *pg;    /* as superuser, over the socket */
	struct fl_http *http;
	int status;	     /* exit status */
};

/* Borrows cfg and base. Starts the server; the API listens once it accepts connections. NULL (INVALID) when cfg is wrong. */
struct postgres *postgres_new(struct event_base *base, const struct postgres_config *cfg, struct fl_err *err);
/* End the server cleanly, then the loop. For fl_daemon_run(). */
void postgres_stop(void *arg);
void postgres_free(struct postgres *p);

#endif
