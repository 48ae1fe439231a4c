/*
 * death - how a job's container ended: its exit status, whether memory ran out, its last words.
 *
 * An engine that is shutting down ends all containers while it still answers on connections it has. Such an end is
 * no crash: so the first question is whether the engine takes new connections.
 */
#ifndef HOST_DEATH_H
#define HOST_DEATH_H

#include <stdbool.h>
#include <stdint.h>

struct container_info;
struct death;
struct fl_buf;
struct job;

enum death_kind {
	DEATH_ENDED,	   /* it ended: info and words say how */
	DEATH_RUNS,	   /* it does not look dead at all: started again meanwhile */
	DEATH_GONE,	   /* the container is no more */
	DEATH_INTERRUPTED, /* the engine went away: what became of it is to be seen when it is back */
};

/*
 * info only for ENDED and RUNS; words are its last lines, "" when none. Borrowed for the call. The architecture of
 * its image is told when the container could not run it.
 */
typedef void (*death_cb)(struct job *j, enum death_kind kind, const struct container_info *info, const char *words);

/* cb once, from the loop; none after a cancel. */
struct death *death_start(struct job *j, death_cb cb);
void death_cancel(struct death *d);

/*
 * The sentence about an end: "web exited 1 after 0.4 s", "web was killed at its memory limit of 512 MB", and its
 * last words on lines of their own; "image is arm64, host is amd64" alone, when it is for another arch than ours.
 */
void death_explain(const char *what, const struct container_info *info, const char *arch, int64_t memory_bytes,
    const char *words, struct fl_buf *out);

#endif
