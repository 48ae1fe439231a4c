/*
 * action_run_app - start jobs on the host directly, before there is a scheduler that could.
 */
#ifndef ACTION_RUN_APP_H
#define ACTION_RUN_APP_H

struct fl_host_events_ops;

/* For the one stream of the host's events; its arg is the bootstrap. */
extern const struct fl_host_events_ops run_app_events;

#endif
