/*
 * starting - whether an instance of a service that has none is about to come.
 *
 * Host tells discoverd of each instance that it starts, under the service's name with FL_DISCOVERD_STARTING behind it,
 * until the instance is healthy and registered under the name itself, or has failed. That is followed only for services
 * without an instance. Control thread only.
 */
#ifndef ROUTER_STARTING_H
#define ROUTER_STARTING_H

#include <stdbool.h>

struct event_base;
struct fl_discoverd;
struct starting;

/*
 * How long there is hope although nothing is known to start: after the last instance was lost, as it may have died, and
 * those who start another need a moment; when one that was starting is no more, as we may hear of that before we hear that
 * it is up; and until discoverd has answered.
 */
#define STARTING_GRACE_MS 1000

/*
 * Follow what starts of a service. was_lost: it had an instance until now. on_change: there is hope or there is not any
 * more; from the loop, never before this returns.
 */
struct starting *starting_new(struct event_base *base, struct fl_discoverd *d, const char *service, bool was_lost,
    void (*on_change)(void *arg), void *arg);
/* NULL is fine. Also from within on_change. */
void starting_free(struct starting *s);
bool starting_is_hopeful(const struct starting *s);

#endif
