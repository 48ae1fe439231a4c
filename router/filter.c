#include "router/filter.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "libflynn/err.h"
#include "libflynn/xmalloc.h"
#include "router/table.h"

/* Longer than any request can take. */
#define SLOW_MAX_S 1e7

static int
parse_host(struct filter *f, const char *text, struct fl_err *err)
{
	char host[TABLE_MAX_KEY + 1];
	size_t len;

	if (*text == ':') { /* a TCP route's */
		len = strlen(text);
		if (len > 6)
			return fl_err_set(err, FL_ERR_INVALID, "host: \"%.20s\" is no port", text);
		memcpy(host, text, len);
	} else if ((len = table_normalise_host(text, strlen(text), host)) == 0) {
		return fl_err_set(err, FL_ERR_INVALID, "host: \"%.100s\" is no host name", text);
	}
	if (len > RECORD_HOST)
		len = RECORD_HOST; /* as it was noted */
	memcpy(f->host, host, len);
	f->host[len] = '\0';
	return 0;
}

static int
parse_status(struct filter *f, const char *text, struct fl_err *err)
{
	if (strlen(text) == 3 && *text >= '1' && *text <= '5' && strcmp(text + 1, "xx") == 0) {
		f->first_status = (*text - '0') * 100;
		f->last_status = f->first_status + 99;
		return 0;
	}
	if (strlen(text) == 3 && strspn(text, "0123456789") == 3 && *text != '0') {
		f->first_status = f->last_status = (int)strtol(text, NULL, 10);
		return 0;
	}
	return fl_err_set(err, FL_ERR_INVALID, "status: \"%.20s\" is neither a status, as 404, nor a class, as 5xx", text);
}

static int
parse_slow(struct filter *f, const char *text, struct fl_err *err)
{
	char *end;
	double n = strtod(text, &end), s = 0;

	if (strcmp(end, "ms") == 0)
		s = n / 1000;
	else if (strcmp(end, "s") == 0)
		s = n;
	if (end == text || !isfinite(n) || s <= 0 || s > SLOW_MAX_S)
		return fl_err_set(err, FL_ERR_INVALID, "slow: \"%.20s\" is no time, as 500ms or 1.5s", text);
	f->slow_us = (float)(s * 1e6);
	return 0;
}

int
filter_parse(struct filter *f, const char *host, const char *status, const char *slow, struct fl_err *err)
{
	if (host != NULL && *host != '\0' && parse_host(f, host, err) == -1)
		return -1;
	if (status != NULL && *status != '\0' && parse_status(f, status, err) == -1)
		return -1;
	if (slow != NULL && *slow != '\0' && parse_slow(f, slow, err) == -1)
		return -1;
	return 0;
}

void
filter_release(struct filter *f)
{
	free(f->routes);
	f->routes = NULL;
	f->n_routes = 0;
}

void
filter_clear_routes(struct filter *f)
{
	f->has_routes = true;
	f->n_routes = 0;
}

void
filter_add_route(struct filter *f, uint32_t number)
{
	f->routes = fl_xreallocarray(f->routes, f->n_routes + 1, sizeof(*f->routes));
	f->routes[f->n_routes++] = number;
}

static int
compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

void
filter_sort_routes(struct filter *f)
{
	if (f->n_routes > 1)
		qsort(f->routes, f->n_routes, sizeof(*f->routes), compare);
}

static bool
is_of_routes(const struct filter *f, uint32_t number)
{
	return f->n_routes > 0 && bsearch(&number, f->routes, f->n_routes, sizeof(*f->routes), compare) != NULL;
}

bool
filter_matches(const struct filter *f, const struct record *r)
{
	if (f->first_status != 0 && (r->status < f->first_status || r->status > f->last_status))
		return false;
	if (r->total_us < f->slow_us)
		return false;
	if (*f->host != '\0' && !fl_span_eq(r->host, f->host))
		return false;
	return !f->has_routes || is_of_routes(f, r->route);
}
