/*
 * container - a job as the engine sees it: what is asked of the engine for it, and what the engine answers about it.
 */
#ifndef HOST_CONTAINER_H
#define HOST_CONTAINER_H

#include <stdbool.h>
#include <stdint.h>

struct fl_buf;
struct fl_err;
struct fl_json;
struct host;
struct job;

/* What an inspection tells. Strings are the caller's: container_info_release(). */
struct container_info {
	char *id, *ip, *image;
	char *image_arch; /* not inspected: death.h fills it in */
	bool running, oom_killed;
	int exit_code;
	int64_t started_us, finished_us; /* the engine's wall clock; 0: never */
};

/* The body of the call that creates it, appended. image is what the engine finds it by. */
void container_write(const struct job *j, const char *image, struct fl_buf *out);
/* flynn-<what it is>-<start of its id>: for people who look at `docker ps`. The caller frees. */
char *container_name(const struct job *j);
/* The same with "-ended" behind: a mark that outlives our state file. */
char *container_ended_name(const struct job *j);
bool container_name_is_ended(const char *name);

/* v is the engine's answer. */
int container_parse(const struct fl_json *v, struct container_info *info, struct fl_err *err);
void container_info_release(struct container_info *info);

/* The engine's name of a volume of ours. The caller frees. */
char *container_volume_name(const struct host *h, const char *name);

#endif
