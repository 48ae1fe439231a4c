/*
 * path_id - the ids in a request's path.
 */
#ifndef CONTROLLER_PATH_ID_H
#define CONTROLLER_PATH_ID_H

#include "libflynn/uuid.h"

struct fl_http_req;

/* The id in the place of :name of the request's route. What is no id names nothing: -1, and answered 404. */
int path_id(struct fl_http_req *req, const char *name, char out[FL_UUID_LEN + 1]);

#endif
