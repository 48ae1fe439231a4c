/*
 * usage - what jobs use of this machine: processor time and memory, as the engine reads them from their cgroups.
 *
 * Read when somebody asks, once a second at most, each container in one shot: nothing is sampled meanwhile.
 */
#ifndef HOST_USAGE_H
#define HOST_USAGE_H

#include <stdbool.h>
#include <stdint.h>

struct fl_err;
struct fl_http_req;
struct fl_json;
struct fl_jsonw;
struct host;

/* One reading of a job; { 0 } is none. */
struct usage {
	int64_t read_us;      /* wall clock; 0: never read */
	int64_t cpu_us;	      /* used since the container started */
	int64_t memory_bytes; /* without what the kernel can take back at once */
	int64_t cpu_millis;   /* of the time since the reading before, or since the start: 1000 is one processor */
};

/*
 * The engine's answer to /containers/ID/stats, of cgroup v1 or v2. before: the reading before, or { 0 }; started_us: when the
 * container started, wall clock. INVALID when it tells nothing, as of a container that has ended.
 */
int usage_parse(const struct fl_json *v, const struct usage *before, int64_t started_us, int64_t now_us, struct usage *out,
    struct fl_err *err);

/*
 * Answer {"<job id>":{"cpu_seconds","cpu_percent","memory","memory_limit"}}: of the jobs that run, or with app of those of that
 * app only. A job whose container does not answer within two seconds is left out.
 */
void usage_reply(struct host *h, const char *app, struct fl_http_req *req);

#endif
