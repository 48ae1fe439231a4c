/*
 * host - the daemon that runs the jobs of one machine.
 *
 * Everything it knows hangs off one struct host. It drives the machine's Docker engine, and owns the jobs: who
 * is wanted, which ports are whose, what is healthy. The nouns each have a file; this one ties them together.
 */
#ifndef HOST_HOST_H
#define HOST_HOST_H

#include <stdbool.h>
#include <stddef.h>

#include "libflynn/attr.h"
#include "libflynn/list.h"

struct attach;
struct claim;
struct engine;
struct event;
struct event_base;
struct exec;
struct feed;
struct fl_discoverd;
struct fl_err;
struct fl_http;
struct fl_http_client;
struct identify;
struct job;
struct launcher;
struct leaving;
struct manifest;
struct ports;
struct restore;
struct state;

/* What containers that are ours carry. */
#define HOST_LABEL "flynn.host"	      /* host id */
#define HOST_LABEL_JOB "flynn.job"    /* job id */
#define HOST_LABEL_SPEC "flynn.spec"  /* the job, as JSON */
#define HOST_LABEL_PORTS "flynn.ports" /* the chosen numbers, "55000,55001" */
#define HOST_LABEL_CLAIM "flynn.claim" /* on the volume that says that the claim is complete */
#define HOST_LABEL_VOLUME "flynn.volume" /* a volume's name as its job knows it */

struct host_config {
	char *external_ip;
	char *bind_ip;	/* NULL: all addresses */
	char *manifest; /* path; NULL: no layer 0 */
	char *id;	/* NULL: made of the engine's name */
	char *state_path;
	char *docker_socket;
	int http_port;
	bool force;
};

TAILQ_HEAD(job_list, job);
LIST_HEAD(attach_list, attach);
LIST_HEAD(leaving_list, leaving);
LIST_HEAD(exec_list, exec);

struct host {
	struct event_base *base;
	const struct host_config *cfg;
	char *id;	 /* NULL until known; never a dash in it */
	char *key;	 /* the cluster key */
	char *bridge_ip; /* where discoverd answers DNS; NULL until the engine told */
	char *self_id;	 /* our own container; NULL: we run in none */
	struct engine *engine;
	struct job_list jobs; /* oldest first */
	size_t n_jobs;
	struct ports *ports;
	struct launcher *launcher;
	struct manifest *manifest;
	struct identify *identify; /* under way; else NULL */
	struct restore *restore;
	struct claim *claim;
	struct state *state;
	struct feed *feed;
	struct event *prune; /* ending_prune_soon() */
	struct attach_list waiting; /* attachers of jobs that are not known yet */
	struct exec_list execs;	    /* commands that run beside jobs */
	struct leaving_list leaving; /* goodbyes to discoverd that are waited for */
	struct fl_http *http;
	struct fl_http_client *client;	/* for health checks */
	struct fl_discoverd *discoverd; /* NULL until the key is known */
	bool ready;			/* what runs is known: jobs may be added */
	bool stats_are_slow;		/* the engine's (usage.h) */
	bool stopping, failed;
};

/* Load the state, listen and begin to look for the engine. NULL with err set when that cannot be. */
struct host *host_new(struct event_base *base, const struct host_config *cfg, struct fl_err *err);
/* Stop listening and end the loop. Containers go on. For fl_daemon_run(); arg is the host. */
void host_stop(void *arg);
void host_free(struct host *h);
/* Whether the loop ended because host cannot do its work. */
bool host_has_failed(const struct host *h);
bool host_is_ipv4(const char *text);

/* What runs is known: bring up what is wanted, and take work. */
void host_begin(struct host *h);
/* A new cluster key: all that was registered or kept under the old one is forgotten. */
void host_change_key(struct host *h);
/* Whether new work can be taken; if not, err says why. */
int host_check_ready(const struct host *h, struct fl_err *err);

#endif
