/*
 * attach_request - requests whose connection is to carry the frames of a job, in the form of 2014 or as an upgrade.
 */
#ifndef CONTROLLER_ATTACH_REQUEST_H
#define CONTROLLER_ATTACH_REQUEST_H

#include <stdbool.h>

struct bufferevent;
struct fl_http_req;

/* It upgrades to flynn-attach/0, so it speaks frames. */
bool attach_request_upgrades(const struct fl_http_req *req);
/* It does, or accepts application/vnd.flynn.attach. */
bool attach_request_is(const struct fl_http_req *req);
/* Answer req with 101, and hand its connection over (fl_http_hijack()); NULL: the client has gone. */
struct bufferevent *attach_request_answer(struct fl_http_req *req);

#endif
