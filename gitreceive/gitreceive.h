/*
 * gitreceive - flynn-gitreceive: git push over SSH, built and deployed.
 *
 * The same program plays three parts. The daemon accepts connections and knows where the cluster's services
 * are; it holds no client's bytes. Each connection is a process of its own, `flynn-gitreceive session`, which sheds
 * privileges before it speaks. git's receive-pack runs the pre-receive hook, `flynn-gitreceive hook`, which builds
 * and deploys. What they need they get by environment (cluster.h).
 */
#ifndef GITRECEIVE_GITRECEIVE_H
#define GITRECEIVE_GITRECEIVE_H

#include <stddef.h>

struct event_base;
struct fl_discoverd;
struct fl_err;
struct fl_http;
struct listener;
struct places;

struct gitreceive_config {
	char *discoverd;
	char *repos;	    /* directory of the repositories: a cache */
	char *user;	    /* whom session processes become; "" stays */
	char *cluster_key;
	char *controller_key;
	char *host_keys;    /* PEM blocks */
	char *builder_uri, *runner_uri; /* artifacts */
	int port;	    /* of SSH */
	int http_port;	    /* of ping and metrics; 0: none */
	int max_sessions;
	int idle_s;	    /* how long a client may be silent when it is his turn */
};

struct gitreceive {
	const struct gitreceive_config *cfg;
	struct event_base *base;
	struct fl_discoverd *discoverd;
	struct places *places;
	struct listener *listener;
	struct fl_http *http;
};

struct gitreceive *gitreceive_new(struct event_base *base, const struct gitreceive_config *cfg, struct fl_err *err);
/* Stop accepting and end the loop when the last session has ended. For fl_daemon_run(). */
void gitreceive_stop(void *arg);
void gitreceive_free(struct gitreceive *g);

/* The other two parts; exit statuses. */
int session_main(void);
int hook_main(void);

#endif
