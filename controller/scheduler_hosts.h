/*
 * scheduler_hosts - every host of the cluster and its event stream, taken into the world.
 */
#ifndef CONTROLLER_SCHEDULER_HOSTS_H
#define CONTROLLER_SCHEDULER_HOSTS_H

#include <stdbool.h>

struct hosts;
struct scheduler;

/* Why a job is down that ran on one that is lost. */
#define HOST_LOST "its host is not in the cluster any more"

struct hosts *hosts_start(struct scheduler *s);
/* Whether discoverd has told which hosts there are and each has told its jobs, or did not within 10 s. */
bool hosts_known(const struct hosts *h);
/* Whether all hosts of the cluster have had the time to come: one that is not there is gone. */
bool hosts_settled(const struct hosts *h);
/* We act now: tell the controller of all jobs as they are. */
void hosts_record_all(struct hosts *h);
void hosts_free(struct hosts *h);

#endif
