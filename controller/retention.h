/*
 * retention - forgets jobs that ended long ago and their events, so that the database does not grow without end.
 */
#ifndef CONTROLLER_RETENTION_H
#define CONTROLLER_RETENTION_H

struct controller;
struct retention;

struct retention *retention_start(struct controller *c);
void retention_free(struct retention *r);

#endif
