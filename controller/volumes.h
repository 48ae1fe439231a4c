/*
 * volumes - the API's volumes: what the jobs of an app's process type keep, on the host where it is.
 *
 * One is noted when the first job that has it is recorded, and stays when jobs, releases and the process type itself go.
 */
#ifndef CONTROLLER_VOLUMES_H
#define CONTROLLER_VOLUMES_H

struct controller;
struct fl_err;
struct fl_http_req;

/*
 * Remove a volume with its data, wherever it is. cb once, from the loop: NOT_FOUND when there is none, CONFLICT while a job
 * uses it, UNAVAILABLE when its host or the database is away.
 */
void volumes_remove(struct controller *c, const char *volume_id, void (*cb)(const struct fl_err *err, void *arg), void *arg);

void volumes_list_all(struct fl_http_req *req, void *arg);
void volumes_list(struct fl_http_req *req, void *arg);
void volumes_get(struct fl_http_req *req, void *arg);
/* Jobs to come get a new one; those that run, and the data, keep it. Done before, it is answered as it was. */
void volumes_decommission(struct fl_http_req *req, void *arg);
/* With its data. 409 while a job uses it. */
void volumes_delete(struct fl_http_req *req, void *arg);

#endif
