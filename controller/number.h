/*
 * number - numbers from 0 on in headers and queries of requests.
 */
#ifndef CONTROLLER_NUMBER_H
#define CONTROLLER_NUMBER_H

#include <stdint.h>

struct fl_http_req;

/* Digits, and nothing else; NULL and "" are 0. -1: text is none, or over max. */
int number_read(const char *text, int64_t max, int64_t *n);
/* The header's or query's number, 0 without one. -1: answered, with a 400 that names it. */
int number_header(struct fl_http_req *req, const char *name, int64_t max, int64_t *n);
int number_query(struct fl_http_req *req, const char *name, int64_t max, int64_t *n);

#endif
