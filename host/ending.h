/*
 * ending - how jobs end: told to, by themselves, or without ever having run.
 */
#ifndef HOST_ENDING_H
#define HOST_ENDING_H

#include <stdbool.h>
#include <stdint.h>

#include "libflynn/host_client.h"

struct host;
struct job;

/* Somebody wants it to end: it will, for good, whatever it is doing. */
void ending_request(struct job *j);
/* As request; SIGKILL comes after grace_s seconds instead of what the job asked for. */
void ending_request_soon(struct job *j, int grace_s);
/* Take it out of discoverd and end its container; legal where STOPPING may be entered. */
void ending_stop(struct job *j);
/* Its container ended by itself, says the engine. */
void ending_died(struct job *j);
/*
 * It is over, or, if it is one that host keeps alive, starts again when its back-off is over. exit_status -1: it has
 * none. error NULL: nothing to say.
 */
void ending_conclude(struct job *j, enum fl_job_status status, int exit_status, const char *error);
/* What a died job was: never up is failed. */
enum fl_job_status ending_status(bool was_up, int exit_status);

/* Seconds to wait before the start after that many deaths in a row. */
int ending_delay_s(int deaths);

/* From the loop: remove what ended jobs left behind, but for the newest (retain.h). */
void ending_prune_soon(struct host *h);

#endif
