/*
 * keys - the API's SSH keys: who may push.
 */
#ifndef CONTROLLER_KEYS_H
#define CONTROLLER_KEYS_H

struct fl_http_req;

void keys_list(struct fl_http_req *req, void *arg);
/* A key that is there already is returned as it is. */
void keys_create(struct fl_http_req *req, void *arg);
/* By fingerprint, with or without colons. */
void keys_get(struct fl_http_req *req, void *arg);
void keys_delete(struct fl_http_req *req, void *arg);

#endif
