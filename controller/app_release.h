/*
 * app_release - the release that an app runs.
 */
#ifndef CONTROLLER_APP_RELEASE_H
#define CONTROLLER_APP_RELEASE_H

struct fl_http_req;

void app_release_get(struct fl_http_req *req, void *arg);
/*
 * Set it; when the app has exactly one formation and it is of another release, that formation moves to the new
 * one, all in one transaction. Process types that the new release lacks are left behind.
 */
void app_release_set(struct fl_http_req *req, void *arg);

#endif
