/*
 * dialect - an attached job for a client that does not say what it speaks.
 *
 * Clients from August 2014 on speak frames (libflynn/frame.h). Those before ask in the same words, but send what they read
 * as it is, and want the output as Docker's streams, or of a terminal as it is; a status they do not know. What a client
 * says first decides. One that says nothing for a moment is told in frames until he says something else.
 */
#ifndef CONTROLLER_DIALECT_H
#define CONTROLLER_DIALECT_H

#include <stdbool.h>

struct bufferevent;
struct dialect;

/*
 * Owns both connections from now on. on_end is called once, from the loop, when both have ended or one has failed, and
 * the dialect is gone then.
 */
struct dialect *dialect_start(struct bufferevent *client, struct bufferevent *host, bool tty, void (*on_end)(void *arg), void *arg);
void dialect_free(struct dialect *d);

#endif
