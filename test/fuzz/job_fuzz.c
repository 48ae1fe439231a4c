/*
 * job_fuzz - a job that is taken is written, taken again, and then written the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/job.h"
#include "libflynn/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The job in JSON text, or NULL. */
static struct fl_job *
parse(const char *text, size_t len)
{
	struct fl_json *v = fl_json_parse(text, len, NULL);
	struct fl_err err = { 0 };
	struct fl_job *j = fl_job_parse(v, &err);

	if (j == NULL && err.kind != FL_ERR_INVALID)
		abort();
	fl_json_free(v);
	return j;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fl_job *j = parse((const char *)data, size), *again = NULL;
	struct fl_buf first = { 0 }, second = { 0 };
	char *host = NULL;

	if (j == NULL)
		return 0;
	if ((host = fl_job_id_host(j->id)) == NULL)
		abort();
	free(host);
	fl_job_write(j, &first);
	if ((again = parse(first.data, first.len)) == NULL)
		abort();
	fl_job_write(again, &second);
	if (strcmp(first.data, second.data) != 0)
		abort();
	fl_buf_release(&first);
	fl_buf_release(&second);
	fl_job_free(j);
	fl_job_free(again);
	return 0;
}
