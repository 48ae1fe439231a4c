/*
 * online_hosts - wait until enough hosts have registered before the first step.
 */
#ifndef BOOTSTRAP_ONLINE_HOSTS_H
#define BOOTSTRAP_ONLINE_HOSTS_H

struct bootstrap;
struct fl_err;
struct hosts_wait;

/* on_done comes once, from the loop: err NULL when min hosts are there, TIMEOUT after 30 s. */
struct hosts_wait *hosts_wait_start(struct bootstrap *b, int min, void (*on_done)(const struct fl_err *err, void *arg));
void hosts_wait_free(struct hosts_wait *w);

#endif
