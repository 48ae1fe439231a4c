/*
 * restarts - asking for new jobs in the place of those that run, one by one, so that none is missed.
 */
#ifndef CONTROLLER_RESTARTS_H
#define CONTROLLER_RESTARTS_H

struct fl_http_req;

/*
 * POST /apps/:app/restart {"type"} or {"job"}, or {}: all. Marks the jobs of the app's release, for its scheduler to replace, and
 * answers {"release","processes","jobs"}: how many there are to be of each type when that is done, and which are to go. It ends
 * by itself when one of the new ones fails. 409 while the app is deployed.
 */
void restarts_create(struct fl_http_req *req, void *arg);

#endif
