/*
 * process - the job that runs one process type of a release.
 *
 * What the scheduler starts for a formation and bootstrap starts before there is one are
 * the same jobs: environment, metadata, ports and volumes are decided here.
 */
#ifndef FL_PROCESS_H
#define FL_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

struct fl_err;
struct fl_job;
struct fl_json;
struct fl_jsonw;

/* App meta that makes an app part of the platform: its jobs are system jobs. */
#define FL_APP_META_SYSTEM "flynn-system-app"

/*
 * The JSON objects are the controller's App {id,name,meta}, Release {id,env,processes} and
 * Artifact {type,uri}. Returns a job with a new id on host_id, or NULL (INVALID) with a sentence
 * when the release has no such type or describes it wrongly.
 *
 * Environment: the release's, then the process type's, then FLYNN_APP_ID, FLYNN_APP_NAME,
 * FLYNN_RELEASE_ID, FLYNN_PROCESS_TYPE. Ports: an array of {port,proto,service}, or the object
 * {tcp,udp} of older clients. A service is named by the port's "service", by the type's "service", or
 * by SD_NAME in its environment (which the job then does not get). "data": true is a volume at /data
 * that belongs to app and type, so it outlives job and release.
 */
struct fl_job *fl_process_job(const struct fl_json *app, const struct fl_json *release,
    const struct fl_json *artifact, const char *type, const char *host_id, struct fl_err *err);

/* In the environment of a job with volumes: where they are, with colons between. */
#define FL_PROCESS_VOLUMES "FLYNN_VOLUMES"
/* Where a volume is that names no path. */
#define FL_PROCESS_DATA "/data"

/*
 * What its host calls a volume (caller frees): without a name one of app, type and path, so it outlives job and release;
 * with one, of the app, whose types may share it. Parts of the platform choose names of their own.
 */
char *fl_process_volume_name(const char *app_id, bool is_system, const char *type, const char *path, const char *name);
/* The name of the volume that is there when so many before it were decommissioned. Takes name; the caller frees. */
char *fl_process_volume_number(char *name, int64_t number);

/*
 * A limit that the process type names in its "resources", "memory" in bytes or "cpu" in thousandths of a CPU: a number, or
 * an object whose "limit" it is, as newer clients have it. 0: none.
 */
int64_t fl_process_limit(const struct fl_json *type, const char *name);

/* "ports" of a process type that is told its port and found as <app>-<type>. */
void fl_process_write_ports(struct fl_jsonw *w, const char *app, const char *type);

#endif
