/*
 * active_job - a job as its host sees it: its JSON read and written.
 */
#include <stdlib.h>
#include <string.h>

#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/clock.h"
#include "libflynn/err.h"
#include "libflynn/host_client.h"
#include "libflynn/job.h"
#include "libflynn/json.h"
#include "libflynn/xmalloc.h"

static const char *const status_names[FL_JOB_STATUS_MAX] = {
	[FL_JOB_STARTING] = "starting",
	[FL_JOB_RUNNING] = "running",
	[FL_JOB_STOPPING] = "stopping",
	[FL_JOB_DONE] = "done",
	[FL_JOB_CRASHED] = "crashed",
	[FL_JOB_FAILED] = "failed",
};

const char *
fl_job_status_name(enum fl_job_status s)
{
	return status_names[s];
}

enum fl_job_status
fl_job_status_of(const char *name)
{
	for (size_t i = 0; name != NULL && i < fl_nitems(status_names); i++)
		if (strcmp(status_names[i], name) == 0)
			return (enum fl_job_status)i;
	return FL_JOB_STATUS_MAX;
}

static int
read_str(const struct fl_json *v, const char *key, char **out, struct fl_err *err)
{
	const char *s = NULL;

	if (fl_json_member_str(v, key, &s, err) == -1)
		return -1;
	*out = fl_xstrdup_null(s);
	return 0;
}

static int
read_time(const struct fl_json *v, const char *key, int64_t *wall_us, struct fl_err *err)
{
	const char *s = NULL;

	if (fl_json_member_str(v, key, &s, err) == -1)
		return -1;
	if (s != NULL && fl_clock_parse(s, wall_us) == -1)
		return fl_err_set(err, FL_ERR_INVALID, "%s is no time: %s", key, s);
	return 0;
}

static int
read_int(const struct fl_json *v, const char *key, int *out, struct fl_err *err)
{
	int64_t n = *out;

	if (fl_json_member_int(v, key, -1, INT32_MAX, &n, err) == -1)
		return -1;
	*out = (int)n;
	return 0;
}

/* The ports chosen; those not known yet are 0. */
static int
read_ports(const struct fl_json *v, struct fl_active_job *a, struct fl_err *err)
{
	const struct fl_json *ports = NULL;

	if (fl_json_member_arr(v, "ports", &ports, err) == -1)
		return -1;
	a->ports = fl_xcalloc(a->job->n_ports + 1, sizeof(*a->ports));
	for (size_t i = 0; i < a->job->n_ports; i++) {
		int64_t port = fl_json_int(fl_json_at(ports, i), 0);

		if (port < 0 || port > UINT16_MAX)
			return fl_err_set(err, FL_ERR_INVALID, "%lld is no port", (long long)port);
		a->ports[i] = (int)port;
	}
	return 0;
}

struct fl_active_job *
fl_active_job_parse(const struct fl_json *v, struct fl_err *err)
{
	struct fl_active_job *a = fl_xcalloc(1, sizeof(*a)), *parsed = NULL;
	const char *status = NULL;

	a->exit_status = -1;
	a->job = fl_job_parse(fl_json_get(v, "job"), err);
	if (a->job == NULL || fl_json_member_str(v, "status", &status, err) == -1)
		goto out;
	a->status = fl_job_status_of(status);
	if (a->status == FL_JOB_STATUS_MAX) {
		fl_err_set(err, FL_ERR_INVALID, "%s is no job status", status != NULL ? status : "null");
		goto out;
	}
	if (read_str(v, "host_id", &a->host_id, err) == -1 ||
	    read_str(v, "container_id", &a->container_id, err) == -1 ||
	    read_str(v, "internal_ip", &a->internal_ip, err) == -1 ||
	    read_str(v, "error", &a->error, err) == -1 ||
	    read_ports(v, a, err) == -1 ||
	    fl_json_member_bool(v, "healthy", &a->healthy, err) == -1 ||
	    read_int(v, "restarts", &a->restarts, err) == -1 ||
	    read_int(v, "exit_status", &a->exit_status, err) == -1 ||
	    read_time(v, "created_at", &a->created_at, err) == -1 ||
	    read_time(v, "started_at", &a->started_at, err) == -1 ||
	    read_time(v, "ended_at", &a->ended_at, err) == -1)
		goto out;
	parsed = a;
	a = NULL;
out:
	fl_active_job_free(a);
	return parsed;
}

static void
write_time(struct fl_jsonw *w, const char *key, int64_t wall_us)
{
	char text[FL_CLOCK_RFC3339_LEN];

	if (wall_us == 0)
		return;
	fl_clock_format(wall_us, text);
	fl_jsonw_str(w, key, text);
}

void
fl_active_job_write(const struct fl_active_job *a, struct fl_buf *b)
{
	struct fl_jsonw w = fl_jsonw(b);
	struct fl_buf job = { 0 };

	fl_job_write(a->job, &job);
	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_raw(&w, "job", fl_buf_cstr(&job));
	fl_jsonw_str_oe(&w, "host_id", a->host_id);
	fl_jsonw_str(&w, "status", fl_job_status_name(a->status));
	fl_jsonw_str_oe(&w, "container_id", a->container_id);
	fl_jsonw_str_oe(&w, "internal_ip", a->internal_ip);
	fl_jsonw_open(&w, "ports", '[');
	for (size_t i = 0; a->ports != NULL && i < a->job->n_ports; i++)
		fl_jsonw_int(&w, NULL, a->ports[i]);
	fl_jsonw_close(&w, ']');
	fl_jsonw_bool(&w, "healthy", a->healthy);
	fl_jsonw_int(&w, "restarts", a->restarts);
	write_time(&w, "created_at", a->created_at);
	write_time(&w, "started_at", a->started_at);
	write_time(&w, "ended_at", a->ended_at);
	if (a->exit_status != -1)
		fl_jsonw_int(&w, "exit_status", a->exit_status);
	fl_jsonw_str_oe(&w, "error", a->error);
	fl_jsonw_close(&w, '}');
	fl_buf_release(&job);
}

void
fl_active_job_free(struct fl_active_job *a)
{
	if (a == NULL)
		return;
	fl_job_free(a->job);
	free(a->host_id);
	free(a->container_id);
	free(a->internal_ip);
	free(a->error);
	free(a->ports);
	free(a);
}
