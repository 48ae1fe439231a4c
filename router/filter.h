/*
 * filter - which of the last requests are asked for: by host, status, time and whose route it was.
 */
#ifndef ROUTER_FILTER_H
#define ROUTER_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "router/record.h"

struct fl_err;

struct filter {
	char host[RECORD_HOST + 1]; /* "": any */
	int first_status, last_status; /* 0: any */
	float slow_us;		       /* that took so long at least */
	bool has_routes;
	uint32_t *routes; /* numbers of tallies, sorted, owned; with has_routes: of these alone */
	size_t n_routes;
};

/*
 * NULL or "" is any. host: a name, with or without a port; status: "404", "5xx"; slow: "500ms", "1.5s". All zero at first.
 */
int filter_parse(struct filter *f, const char *host, const char *status, const char *slow, struct fl_err *err);
void filter_release(struct filter *f);
/* Let these be the routes, in any order; forgets those before. */
void filter_clear_routes(struct filter *f);
void filter_add_route(struct filter *f, uint32_t number);
void filter_sort_routes(struct filter *f);
bool filter_matches(const struct filter *f, const struct record *r);

#endif
