/*
 * query - requests that one SQL statement answers.
 */
#ifndef CONTROLLER_QUERY_H
#define CONTROLLER_QUERY_H

#include <stddef.h>

#include "controller/row.h"

struct controller;
struct fl_err;
struct fl_http_req;

/* Answer with the first row as an object; no row is 404. */
void query_one(struct controller *c, struct fl_http_req *req, const char *sql,
    const char *const *params, size_t n_params, row_writer write);

/*
 * As query_one for statements that make or change something, which tx.h does once for an Idempotency-Key: explain makes a sentence
 * of an error, given the request, and returns the field that was wrong, or NULL; it may be NULL.
 */
void query_put(struct controller *c, struct fl_http_req *req, const char *sql,
    const char *const *params, size_t n_params, row_writer write,
    const char *(*explain)(struct fl_http_req *req, struct fl_err *err));

/* Answer with all rows as an array. */
void query_all(struct controller *c, struct fl_http_req *req, const char *sql,
    const char *const *params, size_t n_params, row_writer write);

/*
 * All rows of something's parts, selected by an outer join: no row says that the whole is
 * unknown (404), a row whose first column is NULL that it has no parts ([]).
 */
void query_parts(struct controller *c, struct fl_http_req *req, const char *sql,
    const char *const *params, size_t n_params, row_writer write);

#endif
