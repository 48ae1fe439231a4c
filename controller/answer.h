/*
 * answer - the controller's replies in the shapes that its clients know.
 *
 * Success is always 200. 400 is {"field","message"}, 401 and 404 are empty, everything else is
 * {"code","message"}; but what the layer that bound bodies to routes refused in 2014 is {"overall","fields"}, to which a
 * 400 adds the message that people are shown.
 */
#ifndef CONTROLLER_ANSWER_H
#define CONTROLLER_ANSWER_H

#include "libflynn/attr.h"

struct fl_buf;
struct fl_err;
struct fl_http_req;

/* What b holds, which is JSON; releases b. */
void answer_json(struct fl_http_req *req, struct fl_buf *b);
void answer_empty(struct fl_http_req *req);
void answer_not_found(struct fl_http_req *req);
/*
 * An error of any kind. field names what was wrong in an INVALID one: clients print the two as one sentence, "FIELD MESSAGE",
 * so it is NULL for a message that is a sentence by itself.
 */
void answer_err(struct fl_http_req *req, const char *field, const struct fl_err *err);
void answer_invalid(struct fl_http_req *req, const char *field, const char *fmt, ...) FL_PRINTF(3, 4);
/* A body that could not be bound to its route: 415 for its type (err NULL), else 400. */
void answer_unbound(struct fl_http_req *req, const char *type_error, const struct fl_err *err);
/* What the HTTP server itself refuses: unknown paths, wrong keys, bodies too big. */
void answer_refused(struct fl_http_req *req, const struct fl_err *err);

#endif
