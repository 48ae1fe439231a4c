/*
 * resources - the API's resources: what providers made for apps, such as databases.
 */
#ifndef CONTROLLER_RESOURCES_H
#define CONTROLLER_RESOURCES_H

struct fl_http_req;

void resources_list_all(struct fl_http_req *req, void *arg);
void resources_list(struct fl_http_req *req, void *arg);
/* Ask the provider for one and record it with its apps. */
void resources_create(struct fl_http_req *req, void *arg);
void resources_get(struct fl_http_req *req, void *arg);
/* Record one that was made elsewhere; never changes one that is there. */
void resources_put(struct fl_http_req *req, void *arg);
/* Give it back to its provider, and forget it. */
void resources_delete(struct fl_http_req *req, void *arg);
void resources_add_app(struct fl_http_req *req, void *arg);
void resources_remove_app(struct fl_http_req *req, void *arg);
void resources_of_app(struct fl_http_req *req, void *arg);

#endif
