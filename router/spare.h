/*
 * spare - connections that a worker can do without when descriptors are short, or too many clients are there.
 */
#ifndef ROUTER_SPARE_H
#define ROUTER_SPARE_H

#include <stdbool.h>

struct worker;

/* Close the connection to an instance that has idled longest. False: none idles. */
bool spare_upstream(struct worker *w);
/* Close some clients that have sent no request for a second. False: there are none. Not from within a client. */
bool spare_clients(struct worker *w);
/* Whether errno says that this process or machine lacks something, and no peer is to blame. */
bool spare_is_short(int why);

#endif
