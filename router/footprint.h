/*
 * footprint - give back memory that only the start has needed.
 */
#ifndef ROUTER_FOOTPRINT_H
#define ROUTER_FOOTPRINT_H

struct event_base;

/*
 * In a moment, and again some seconds later, let go of free heap, and of the pages of programs and libraries that were looked at: what is
 * needed again comes back from the page cache, and most of it, as that of dynamic linking, is not. Takes about a
 * millisecond.
 */
void footprint_trim_soon(struct event_base *base);

#endif
