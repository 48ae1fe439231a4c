/*
 * unsupported - what clients of the final version ask for and this cluster has not: an answer that says what to do instead.
 */
#ifndef CONTROLLER_UNSUPPORTED_H
#define CONTROLLER_UNSUPPORTED_H

struct fl_http_req;

/* 501 with {"code","message"}. */
void unsupported_backup(struct fl_http_req *req, void *arg);
void unsupported_domain(struct fl_http_req *req, void *arg);
void unsupported_sinks(struct fl_http_req *req, void *arg);

#endif
