/*
 * predecessor - hands this router's listening sockets to the one that is started in its place.
 *
 * One successor is served at a time. Control thread only.
 */
#ifndef ROUTER_PREDECESSOR_H
#define ROUTER_PREDECESSOR_H

#include <stdbool.h>

#include "router/sockets.h"

struct event_base;
struct predecessor;

struct predecessor_config {
	struct event_base *base;
	int http_port;
	const char *key; /* that a successor must prove to know */
	struct sockets *sockets;
	/* A successor accepts from all of them: called once, and no other is served. */
	void (*on_relieved)(void *arg);
	void *arg;
};

/*
 * Let successors ask from now on. fd: the meeting point as a predecessor of ours has handed it over, taken;
 * -1: make one. While another has the name, it is tried again every few seconds. config is copied, what it
 * names borrowed.
 */
struct predecessor *predecessor_new(const struct predecessor_config *config, int fd);
/* A successor has the sockets, and has not said yet that it serves. */
bool predecessor_is_leaving(const struct predecessor *p);
void predecessor_free(struct predecessor *p);

#endif
