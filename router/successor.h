/*
 * successor - what a router does at its start to get the listening sockets of the one that runs already.
 */
#ifndef ROUTER_SUCCESSOR_H
#define ROUTER_SUCCESSOR_H

#include "router/sockets.h"

/*
 * Ask the router of that HTTP port on this machine, which must prove that it knows key, for its sockets.
 * They are added to inherited, ours from now on. Blocks for some seconds at most.
 *
 * Returns the connection to it, for successor_ready() and to learn of its end, or -1: there is none, or
 * it has failed, which is logged; what it has handed over until then is in inherited.
 */
int successor_ask(int http_port, const char *key, struct sockets *inherited);
/* We accept from all sockets: the predecessor may stop. */
void successor_ready(int fd);

#endif
