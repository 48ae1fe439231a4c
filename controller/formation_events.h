/*
 * formation_events - GET /formations: every formation expanded, then each change as it comes.
 *
 * A subscriber is told which formations changed by PostgreSQL's NOTIFY and reads each when it is his
 * turn, so a slow one gets the newest state of each and never a backlog.
 */
#ifndef CONTROLLER_FORMATION_EVENTS_H
#define CONTROLLER_FORMATION_EVENTS_H

#include <stdint.h>

struct controller;
struct fl_http_req;
struct formation_events;
struct subscriber;
struct subscriber_sink;

struct formation_events *formation_events_new(struct controller *c);
/* Hear of changes, once the schema stands. */
void formation_events_listen(struct formation_events *fe);
void formation_events_free(struct formation_events *fe);

/*
 * Server-sent ExpandedFormations: the live ones (with ?since=: those changed since then, the deleted ones among
 * them), then an empty one as the sign that all were told, then changes. A deleted one has no processes.
 */
void formation_events_stream(struct fl_http_req *req, void *arg);
/* The same, each as JSON, to a sink; since_us up to 0 is as none. Nothing is sent before it has returned. */
struct subscriber *formation_events_follow(struct formation_events *fe, int64_t since_us, const struct subscriber_sink *sink, void *arg);

#endif
