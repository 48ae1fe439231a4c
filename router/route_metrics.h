/*
 * route_metrics - what is counted of each route, as OpenMetrics text.
 */
#ifndef ROUTER_ROUTE_METRICS_H
#define ROUTER_ROUTE_METRICS_H

struct fl_buf;
struct sync;

/* Routes that have series of their own, those with the most requests; all others are summed up in one. */
#define ROUTE_METRICS_MAX 1000

/* Append it. Routes that had no request yet have no series. */
void route_metrics_write(struct fl_buf *b, const struct sync *s);

#endif
