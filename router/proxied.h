/*
 * proxied - connections that a proxy may have passed on: whose they are, and what is believed of them.
 */
#ifndef ROUTER_PROXIED_H
#define ROUTER_PROXIED_H

#include <stdbool.h>

struct client;

/* Whether the client, just accepted, is to begin with a PROXY header. */
bool proxied_expects(const struct client *c);
/* Read it, and let the client be whom it names: 1 done, or IO_AGAIN, or IO_ERROR: it is none. */
int proxied_read(struct client *c);
/* How far what the client says of where a request came from is believed, by the address it has now. */
void proxied_set_trust(struct client *c);

#endif
