/*
 * log_requests - what one router tells of an app's requests, as lines of its log.
 */
#ifndef CONTROLLER_LOG_REQUESTS_H
#define CONTROLLER_LOG_REQUESTS_H

#include <stddef.h>
#include <stdint.h>

#include "controller/log_lines.h"

struct controller;
struct fl_buf;
struct fl_json;
struct log_source;

/* A source of the router at addr ("ip:port"), of the app's routes. Its lines have the time at which a request had ended. */
struct log_source *log_requests_new(struct controller *c, const char *addr, const char *app_id, const char *since,
    void (*on_more)(struct log_source *s, void *arg), void *arg);

/* Whose log it is: its router's address; NULL: this is no source of a router. Borrowed. */
const char *log_requests_addr(const struct log_source *s);

/*
 * The line of a router's record of a request: "GET example.com/x 200 in 1.2 ms, 45 bytes, from 10.0.0.1:55001", without control
 * characters; and when it ended. -1: it is none.
 */
int log_requests_format(const struct fl_json *record, struct fl_buf *text, char stamp[LOG_STAMP_LEN]);

#endif
