/*
 * collector - takes away what is not needed any more, by itself: releases beyond the last that can be gone back to,
 * their slugs in shelf and their images on the hosts, and what a deleted app leaves.
 *
 * What is spared is decided in the database, which also keeps what is to go until it has gone: so any controller may die
 * at any moment, and several may collect at once. An app is looked at when its release has changed or it was deleted, all
 * of them and shelf once an hour.
 */
#ifndef CONTROLLER_COLLECTOR_H
#define CONTROLLER_COLLECTOR_H

struct collector;
struct controller;
struct fl_http_req;

struct collector *collector_start(struct controller *c);
void collector_free(struct collector *co);

/* Look at the request's :app now, and tell of it as an event. */
void collector_collect(struct fl_http_req *req, void *arg);

#endif
