/*
 * job - what host is asked to run: one container. Shared by all that start jobs.
 *
 * Its JSON, every member but id and artifact optional:
 *
 *	{"id":"<host>-<32 hex>", "metadata":{"k":"v"},
 *	 "artifact":{"type":"docker","uri":"https://registry.hub.docker.com/flynn/x?id=sha256..."},
 *	 "resources":{"memory":<bytes>,"cpu":<millicores>}, "system":false,
 *	 "config":{"entrypoint":[],"cmd":[],"env":{},"tty":false,"stdin":false,"working_dir":"",
 *	   "host_network":false,"stop_on_detach":false,"stop_timeout_s":10,
 *	   "ports":[{"port":0,"proto":"tcp","service":{"name":"x-web","check":{"type":"http","path":"/","status":200,"timeout_s":30}}}],
 *	   "volumes":[{"name":"postgres","target":"/data"}]}}
 */
#ifndef FL_JOB_H
#define FL_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fl_buf;
struct fl_err;
struct fl_json;
struct fl_map;

#define FL_JOB_META_APP "flynn-controller.app"
#define FL_JOB_META_APP_NAME "flynn-controller.app_name"
#define FL_JOB_META_RELEASE "flynn-controller.release"
#define FL_JOB_META_TYPE "flynn-controller.type"
/* How many jobs before it, each in the place of the last, have ended by themselves. */
#define FL_JOB_META_RESTARTS "flynn-controller.restarts"

/* The process type that runs once, before its release replaces another (its release phase), and is never scaled. */
#define FL_JOB_TYPE_RELEASE "release"
/* Whether jobs of a type run once and nothing replaces them; "": those of no type. */
bool fl_job_type_is_once(const char *type);

struct fl_job_port {
	int port;	 /* 0: host chooses from 55000 up */
	char *proto;	 /* "tcp" or "udp" */
	char *service;	 /* register under this name once healthy; NULL: do not */
	char *check;	 /* "tcp", "http" or "none" */
	char *check_path; /* http: GET this. NULL: "/" */
	int check_status; /* http: healthy is this status and no other; 0: 2xx and 3xx */
	int timeout_s;	 /* to become healthy, else the job is failed; default 30 */
};

struct fl_job_volume {
	char *name;   /* outlives the job: the same name is the same data */
	char *target; /* absolute path in the container */
};

struct fl_job {
	char *id;
	struct fl_map *metadata; /* string -> char * */
	char *artifact_type;	 /* "docker" */
	char *artifact_uri;
	int64_t memory_bytes; /* 0: no limit */
	int cpu_millis;	      /* 0: no limit */
	bool system;	      /* gets the cluster key; host restarts it in place */
	char **entrypoint;    /* NULL-terminated; NULL: the image's */
	char **cmd;	      /* NULL-terminated; NULL: the image's */
	struct fl_map *env;   /* string -> char * */
	bool tty, stdin_open;
	bool host_network;
	bool stop_on_detach; /* stopped when its first attacher's connection ends */
	int stop_timeout_s;
	char *working_dir;
	struct fl_job_port *ports;
	size_t n_ports;
	struct fl_job_volume *volumes;
	size_t n_volumes;
};

/* A job with defaults and empty maps. */
struct fl_job *fl_job_new(void);
void fl_job_free(struct fl_job *j);
/* Strict: wrong types, an id that is no job id, bad ports, env names and targets are INVALID. */
struct fl_job *fl_job_parse(const struct fl_json *v, struct fl_err *err);
/* Append its JSON. */
void fl_job_write(const struct fl_job *j, struct fl_buf *b);

/* Copies; replaces what was there. */
void fl_job_set_env(struct fl_job *j, const char *name, const char *value);
void fl_job_set_meta(struct fl_job *j, const char *name, const char *value);
/* A new id on that host: "<host>-<32 hex>"; replaces j->id. */
void fl_job_set_id(struct fl_job *j, const char *host_id);
/* The host part of a job id, up to the first dash; NULL when it is no job id. Caller frees. */
char *fl_job_id_host(const char *job_id);
/* Its FL_JOB_META_RESTARTS; 0 without a number there. */
int fl_job_restarts(const struct fl_job *j);
/* Append an empty port with defaults and return it, borrowed until the next append. */
struct fl_job_port *fl_job_add_port(struct fl_job *j, int port);
void fl_job_add_volume(struct fl_job *j, const char *name, const char *target);
/* NULL-terminated copy of n words; n 0 gives NULL. Free with fl_job_words_free(). */
char **fl_job_words(const char *const *words, size_t n);
/* The same of a JSON array; what is no string becomes "". */
char **fl_job_words_of(const struct fl_json *list);
void fl_job_words_free(char **words);

#endif
