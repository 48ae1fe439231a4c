#include "controller/number.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "controller/answer.h"
#include "libflynn/http_server.h"

int
number_read(const char *text, int64_t max, int64_t *n)
{
	*n = 0;
	if (text == NULL || *text == '\0')
		return 0;
	if (strspn(text, "0123456789") != strlen(text))
		return -1;
	errno = 0;
	*n = strtoll(text, NULL, 10);
	return errno != 0 || *n > max ? -1 : 0;
}

static int
read_named(struct fl_http_req *req, const char *name, const char *text, int64_t max, int64_t *n)
{
	if (number_read(text, max, n) == 0)
		return 0;
	answer_invalid(req, name, "\"%.40s\" is no whole number from 0 to %" PRId64, text, max);
	return -1;
}

int
number_header(struct fl_http_req *req, const char *name, int64_t max, int64_t *n)
{
	return read_named(req, name, fl_http_header(req, name), max, n);
}

int
number_query(struct fl_http_req *req, const char *name, int64_t max, int64_t *n)
{
	return read_named(req, name, fl_http_query(req, name), max, n);
}
