/*
 * usage - what jobs use of this machine: processor time and memory.
 *
 * Read when somebody asks, once a second at most: nothing is sampled meanwhile. The engine reads a container's cgroup in one
 * shot. One that makes us wait for its own next look, as 20.10 does, is asked for the container's processes instead, from then
 * on: their memory together, and whole seconds.
 */
#ifndef HOST_USAGE_H
#define HOST_USAGE_H

#include <stdbool.h>
#include <stdint.h>

struct fl_err;
struct fl_http_req;
struct fl_json;
struct host;

/* One reading of a job; { 0 } is none. */
struct usage {
	int64_t read_us;      /* wall clock; 0: never read */
	int64_t cpu_us;	      /* used since the container started */
	int64_t memory_bytes; /* without what the kernel can take back at once */
	int64_t cpu_millis;   /* of the time since base_us: 1000 is one processor */
	int64_t base_us, base_cpu_us; /* a reading before, or the start */
};

/*
 * The engine's answer to /containers/ID/stats, of cgroup v1 or v2, and to /containers/ID/top with the columns RSS and TIME in
 * seconds. before: the reading before, or { 0 }; started_us: when the container started, wall clock. INVALID when it tells
 * nothing, as of a container that has ended.
 */
int usage_parse(const struct fl_json *v, const struct usage *before, int64_t started_us, int64_t now_us, struct usage *out,
    struct fl_err *err);
int usage_parse_top(const struct fl_json *v, const struct usage *before, int64_t started_us, int64_t now_us, struct usage *out,
    struct fl_err *err);

/*
 * Answer {"<job id>":{"cpu_seconds","cpu_percent","memory","memory_limit"}}: of the jobs that run, or with app of those of that
 * app only. A job of which the engine tells nothing within two seconds is left out.
 */
void usage_reply(struct host *h, const char *app, struct fl_http_req *req);

#endif
