/*
 * job - one job of this host: what was asked, what runs, and what is to happen next.
 *
 * A job is in one state, and job_enter() is the only way from one to another. What others see of it is its
 * active job (libflynn/host_client.h), which follows the state.
 */
#ifndef HOST_JOB_H
#define HOST_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/host.h"
#include "host/usage.h"
#include "libflynn/host_client.h"
#include "libflynn/job.h"

struct death;
struct fl_http_call;
struct health;
struct pull;
struct sockets;

enum job_state {
	JOB_UNKNOWN,   /* what runs is not known: we or the engine were away */
	JOB_QUEUED,    /* waits for its turn to be launched */
	JOB_CREATING,  /* its image, volumes and container are being made */
	JOB_ATTACHING, /* the container is there; an attacher's stream must be first */
	JOB_STARTING,  /* the engine is starting the container */
	JOB_CHECKING,  /* it runs, and is not healthy yet */
	JOB_UP,
	JOB_FAILING,  /* it did not become healthy: we look why */
	JOB_STOPPING, /* out of discoverd, then SIGTERM, then SIGKILL */
	JOB_DYING,    /* it ended by itself: we look how */
	JOB_WAITING,  /* will be started again when its back-off is over */
	JOB_ENDED,
	JOB_STATE_MAX
};

struct job {
	TAILQ_ENTRY(job) link; /* of host->jobs */
	TAILQ_ENTRY(job) queue; /* of the launcher, while queued */
	struct host *host;
	struct fl_active_job *active; /* what others see; active->job is what was asked */
	char *manifest_id;	      /* layer 0's name for it; NULL: not of layer 0 */
	enum job_state state;
	bool wanted;		/* is meant to run */
	bool was_up;		/* has been up once in its life */
	bool renew_container;	/* the one that is there must not be used again */
	bool registered;	/* its services are in discoverd */
	bool announced;		/* discoverd was told that they are starting */
	bool stop_requested;	/* by a person or the scheduler, so its end is no crash */
	bool container_removed; /* nothing is left of it at the engine */
	bool launching;		/* takes one of the launcher's places */
	bool queued;		/* is in the launcher's queue */
	bool retained;		/* its end stays known (retain.h) */
	int grace_s;		/* between SIGTERM and SIGKILL */
	int deaths;		/* in a row, for the back-off */
	int port_tries, name_tries;
	bool pulled;		/* its image, in this launch */
	size_t unhealthy_port;	/* the one that is why it is failing */
	size_t volumes_made;
	int64_t up_ms;	       /* when it came up, monotonic */
	int64_t container_started_us, died_us; /* the engine's clock */
	enum fl_job_status end_status;	       /* of an ended one: done, crashed or failed */
	struct usage usage;    /* when it was last read */
	struct attach_list attaches;
	struct fl_http_call *call; /* the one thing we ask the engine for it now */
	struct event *timer;	   /* back-off, or the bound of what it waits for */
	struct health *health;
	struct sockets *sockets;
	struct death *death;
	struct pull *pull;
};

/* What others see of a job that has not begun; owns spec. */
struct fl_active_job *job_active_of(const struct host *h, struct fl_job *spec, int64_t created_at);
/* Own active from now on; the job goes among the host's, by age. Its state is UNKNOWN. */
struct job *job_new(struct host *h, struct fl_active_job *active);
/* Forget it; whatever is under way is cancelled. */
void job_free(struct job *j);
/* Cancel what is under way for it: calls, checks, timers. */
void job_cancel(struct job *j);
struct job *job_find(const struct host *h, const char *id);
struct job *job_find_manifest(const struct host *h, const char *manifest_id);

const char *job_id(const struct job *j);
const struct fl_job *job_spec(const struct job *j);
/* What to call it in a sentence: its process type, its name in layer 0, else its id. Borrowed. */
const char *job_what(const struct job *j);
/* Its port 0, or 0 when it has none. */
int job_first_port(const struct job *j);
bool job_has_service(const struct job *j);
/* Whether it belongs to an app, so that somebody may want its log after its end. */
bool job_has_app(const struct job *j);
/* Whether it must not be run twice: somebody's run or build. */
bool job_is_once(const struct job *j);
/* Whether it is started again in place after it ended by itself. */
bool job_is_kept(const struct job *j);
/* Whether its container runs now, as far as is known. */
bool job_runs(const struct job *j);

const char *job_state_name(enum job_state s);
/* Move to another state; the move must be legal. */
void job_enter(struct job *j, enum job_state state);
bool job_may_enter(enum job_state from, enum job_state to);
/* The sentence that goes with it; NULL: none. */
void job_set_error(struct job *j, const char *error);

#endif
