/*
 * events - GET /events: what became of apps, releases, formations, jobs, keys, providers and resources, listed or as it
 * happens.
 *
 * The database writes an event with what it tells of (migrations.c); here they get their numbers and find their readers.
 */
#ifndef CONTROLLER_EVENTS_H
#define CONTROLLER_EVENTS_H

struct controller;
struct events;
struct fl_http_req;

struct events *events_new(struct controller *c);
/* Hear of changes, once the schema stands. */
void events_listen(struct events *e);
void events_free(struct events *e);

/*
 * Queries app_id (name or id), object_types (with commas), object_id; with "Accept: application/json" an array, the newest
 * first, of at most count ones (1000) and about 8 MiB, before before_id and since since_id. With any other, or none, server-sent events: from now
 * on; with past=true or a Last-Event-Id those after it first, of which count ones at most.
 */
void events_read(struct fl_http_req *req, void *arg);
void events_get(struct fl_http_req *req, void *arg);

#endif
