/*
 * scheduler_world - what the scheduler knows: formations (desired), hosts and jobs (actual).
 *
 * Plain data without I/O. Streams write it, decide() reads it, act() carries out what decide() said.
 */
#ifndef CONTROLLER_SCHEDULER_WORLD_H
#define CONTROLLER_SCHEDULER_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct fl_json;
struct fl_map;

enum job_state {
	JOB_PENDING,  /* waits for its back-off to end; no host knows of it */
	JOB_STARTING,
	JOB_UP,
	JOB_STOPPING,
};

struct job {
	TAILQ_ENTRY(job) link;
	char *id;      /* NULL while pending */
	char *host_id; /* NULL while pending, unless it must go back to that host (omni) */
	char *app, *release, *type;
	enum job_state state;
	int restarts;
	int64_t run_at;	     /* pending: clock_ms to start it at */
	int64_t up_since;    /* clock_ms; 0: not up */
	int64_t created;     /* order of appearance: the larger the newer */
	bool in_flight;	     /* our own request to its host is under way */
	int64_t memory_bytes; /* its limit; 0: none */
};
TAILQ_HEAD(job_list, job);

struct formation {
	char *app, *release;
	struct fl_json *expanded; /* the controller's ExpandedFormation */
	bool seen;		  /* since the stream was last opened */
};

struct host {
	char *id, *addr;
	bool known; /* it has told us all its jobs */
	int64_t memory_bytes; /* of the machine; 0: not known */
};

struct world {
	struct fl_map *formations; /* "app:release" -> struct formation */
	struct fl_map *hosts;	   /* id -> struct host */
	struct fl_map *jobs_by_id; /* id -> struct job */
	struct job_list jobs;
	int64_t next_created;
};

void world_init(struct world *w);
void world_release(struct world *w);

/* Take in an ExpandedFormation (owned from now on); one without processes ends the formation. Returns NULL then. */
struct formation *world_set_formation(struct world *w, struct fl_json *expanded);
struct formation *world_formation(const struct world *w, const char *app, const char *release);
void world_remove_formation(struct world *w, struct formation *f);
/* How many of type the formation wants; 0 when it does not name it. */
int formation_wants(const struct formation *f, const char *type);
/* One on every host. */
bool formation_is_omni(const struct formation *f, const char *type);
/* The memory limit of a job of type, in bytes; 0: none. */
int64_t formation_memory(const struct formation *f, const char *type);
/* Two of these cannot run on one host at once: it has a volume or a port number of its own. */
bool formation_is_exclusive(const struct formation *f, const char *type);
/* Its jobs keep data, so all of them run where that is. */
bool formation_has_volume(const struct formation *f, const char *type);
/* The id of the host that has the type's volumes, borrowed; NULL: they are not made yet. */
const char *formation_volume_host(const struct formation *f, const char *type);
/* How many volumes at path, on that host, the type's jobs are not to get any more. */
int64_t formation_volume_number(const struct formation *f, const char *type, const char *path, const char *host_id);
/* Whether somebody asked for another job in place of this one of it. */
bool formation_replaces(const struct formation *f, const struct job *j);

struct host *world_set_host(struct world *w, const char *id, const char *addr);
/* Also forgets its jobs. */
void world_remove_host(struct world *w, struct host *h);

/* A new job, in the list; id may be NULL (pending). Strings are copied. */
struct job *world_add_job(struct world *w, const char *id, const char *host_id, const char *app, const char *release, const char *type);
struct job *world_job(const struct world *w, const char *id);
/* Give a pending job its id and host. */
void world_place_job(struct world *w, struct job *j, const char *id, const char *host_id);
void world_remove_job(struct world *w, struct job *j);

/* The delay before a job that has been restarted so often is started again: 0 for 5 times, 10 s up to 15, then 30 s. */
int restart_delay_ms(int restarts);
/* Restarts are forgotten once a job has been up for so long. */
#define RESTARTS_FORGOTTEN_MS (5 * 60 * 1000)

#endif
