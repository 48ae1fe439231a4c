/*
 * deploy_settings - how an app is to be deployed, as clients of 2021 write it: members of the app beside its meta, where it is kept.
 */
#ifndef CONTROLLER_DEPLOY_SETTINGS_H
#define CONTROLLER_DEPLOY_SETTINGS_H

#include <stddef.h>

struct fl_http_req;
struct fl_json;
struct fl_jsonw;

/* Their members of an app, as a JSON object of meta that the caller frees; *patch NULL: there are none. -1: answered. */
int deploy_settings_read(struct fl_http_req *req, const struct fl_json *app, char **patch);
/* The members that meta, JSON text, says rightly. */
void deploy_settings_write(struct fl_jsonw *w, const char *meta, size_t len);

#endif
