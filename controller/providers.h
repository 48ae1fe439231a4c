/*
 * providers - the API's providers: who makes resources, and where it is asked.
 */
#ifndef CONTROLLER_PROVIDERS_H
#define CONTROLLER_PROVIDERS_H

struct fl_http_req;

void providers_list(struct fl_http_req *req, void *arg);
void providers_create(struct fl_http_req *req, void *arg);
void providers_get(struct fl_http_req *req, void *arg);

#endif
