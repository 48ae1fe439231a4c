#include "controller/time_query.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "controller/answer.h"
#include "libflynn/attr.h"
#include "libflynn/clock.h"
#include "libflynn/http_server.h"

#define DIGITS_MAX 9
#define US_PER_S INT64_C(1000000)

/* "10m" in seconds; -1: it is none. */
static int64_t
seconds_of(const char *text)
{
	static const struct {
		char unit;
		int64_t seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
	size_t digits = strspn(text, "0123456789");

	if (digits == 0 || digits > DIGITS_MAX || text[digits] == '\0' || text[digits + 1] != '\0')
		return -1;
	for (size_t i = 0; i < fl_nitems(units); i++)
		if (units[i].unit == text[digits])
			return strtoll(text, NULL, 10) * units[i].seconds;
	return -1;
}

int
time_query_parse(const char *text, int64_t now_us, int64_t *us)
{
	int64_t ago = seconds_of(text);

	if (ago == -1)
		return fl_clock_parse(text, us) == 0 && *us > 0 ? 0 : -1;
	*us = ago < now_us / US_PER_S ? now_us - ago * US_PER_S : 1; /* before all */
	return 0;
}

int
time_query(struct fl_http_req *req, const char *name, int64_t *us)
{
	const char *text = fl_http_query(req, name);

	*us = 0;
	if (text == NULL || *text == '\0' || time_query_parse(text, fl_clock_wall_us(), us) == 0)
		return 0;
	answer_invalid(req, name, "\"%.40s\" is no time: write, say, 10m, 2h or 2014-08-16T21:16:12Z", text);
	return -1;
}
