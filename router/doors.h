/*
 * doors - when this router accepts connections: from the moment that it knows routes and instances, on
 * sockets that its predecessor on this machine handed over if there is one, until it is told to stop or a
 * successor of its own accepts.
 *
 * Control thread only.
 */
#ifndef ROUTER_DOORS_H
#define ROUTER_DOORS_H

#include "router/sockets.h"

struct doors;
struct fl_err;
struct router;

/* Get hold of the listening sockets for HTTP and HTTPS. Connections wait in them. NULL with err. */
struct doors *doors_new(struct router *r, struct fl_err *err);
/* The workers have been freed before. */
void doors_free(struct doors *d);

/* What workers listen on, and what was handed over and is not in use yet: those of TCP routes are sync's. */
struct sockets *doors_listening(struct doors *d);
struct sockets *doors_inherited(struct doors *d);

/* From now on doors may open: sync is there. */
void doors_begin(struct doors *d);
/* Routes or instances have changed: if all is known, open. */
void doors_changed(struct doors *d);
/* Accept no more, finish what is under way, then end the loop. */
void doors_stop(struct doors *d);

#endif
