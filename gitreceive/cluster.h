/*
 * cluster - what a session and its hook know of the cluster, from their environment, and their calls to the controller.
 *
 * These are short-lived programs with one thing to do, so their calls wait for the answer.
 */
#ifndef GITRECEIVE_CLUSTER_H
#define GITRECEIVE_CLUSTER_H

struct fl_err;
struct fl_json;

struct cluster {
	const char *controller, *shelf;	 /* ip:port; NULL: not known */
	char *host_id, *host;		 /* NULL: not known */
	const char *cluster_key, *controller_key;
	const char *builder_uri, *runner_uri;
	const char *repos;
	int idle_s; /* how long a client may be silent when it is his turn */
};

void cluster_read(struct cluster *c);
void cluster_release(struct cluster *c);

/* JSON of a 2xx answer (JSON null when empty), or NULL: NOT_FOUND, UNAVAILABLE (nobody there, or 503), ... */
struct fl_json *cluster_call(const struct cluster *c, const char *method, const char *path, const char *body, struct fl_err *err);

#endif
