/*
 * bootstrap - the run of one manifest against one freshly claimed host.
 */
#ifndef BOOTSTRAP_BOOTSTRAP_H
#define BOOTSTRAP_BOOTSTRAP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct event;
struct event_base;
struct fl_discoverd;
struct fl_err;
struct fl_host_events;
struct fl_http_client;
struct fl_map;
struct claim;
struct hosts_wait;
struct manifest;
struct service_call;

struct bootstrap_config {
	char *discoverd;	 /* ip:port of a host's discoverd */
	char *manifest;		 /* path; "-": standard input */
	bool json;		 /* events as JSON on stdout instead of text on stderr */
	int min_hosts;
};

struct bootstrap {
	const struct bootstrap_config *cfg;
	struct event_base *base;
	struct manifest *manifest;
	struct fl_http_client *http; /* internal APIs: sends the cluster key */
	struct fl_discoverd *discoverd;
	struct claim *claim;
	struct fl_host_events *events;
	struct hosts_wait *hosts;
	struct event *signals[2];
	LIST_HEAD(, service_call) calls; /* under way */
	struct fl_map *providers;	 /* those the controller knows: name -> anything */
	char *host_addr;		 /* ip:1113 */
	char *host_id;
	char *controller_key; /* NULL until gen-random with "controller_key" */
	bool ended;	      /* what comes in yet changes nothing */
	int status;	      /* exit status, once it has ended */
};

/* The cluster exists already: nothing was done. */
#define BOOTSTRAP_EXIT_EXISTS 3

/*
 * Borrows cfg and base. Starts by claiming the host; ends the loop when all is done, one step failed or we are told to by
 * a signal. INVALID when cfg or the manifest is wrong.
 */
struct bootstrap *bootstrap_new(struct event_base *base, const struct bootstrap_config *cfg, struct fl_err *err);
void bootstrap_free(struct bootstrap *b);
/* End the run with an exit status; the first one counts. */
void bootstrap_end(struct bootstrap *b, int status);

#endif
