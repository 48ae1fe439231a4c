/*
 * app_log - GET /apps/:app/log: the lines of all of an app's jobs, joined by their times.
 */
#ifndef CONTROLLER_APP_LOG_H
#define CONTROLLER_APP_LOG_H

struct controller;
struct fl_http_req;

/*
 * Queries follow=true, job_id, process_type, stream_types (stdout and stderr with a comma), lines (so many of the last
 * ones; 0: none of the past), since (time_query.h), source (app, which is the default, router, or app,router: the requests that
 * the app had). A JSON object a line, or server-sent events {"event","data"} if asked for.
 */
void app_log(struct fl_http_req *req, void *arg);
/* Hear of new jobs, once the schema stands. */
void app_log_listen(struct controller *c);
/* The routers that are asked are others. */
void app_log_routers_changed(struct controller *c);
void app_log_free_all(struct controller *c);

#endif
