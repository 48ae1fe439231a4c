/*
 * congestion - the pace at which instances are sent to.
 *
 * What the system has chosen is for the networks that clients are behind. BBR, where that is the choice, spaces out what it sends
 * by timers, which is half of what a large body costs; between the router and an instance there is nothing to spare.
 */
#ifndef ROUTER_CONGESTION_H
#define ROUTER_CONGESTION_H

/* The TCP_CONGESTION (tcp(7)) of connections to instances, to be set before they connect; NULL: the system's will do. */
const char *congestion_for_instances(void);

#endif
