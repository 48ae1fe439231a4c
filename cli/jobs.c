#include "cli/jobs.h"

#include <stdlib.h>
#include <string.h>

#include "cli/client.h"
#include "libflynn/err.h"
#include "libflynn/job.h"
#include "libflynn/json.h"
#include "libflynn/xmalloc.h"

static bool
is_live(const struct fl_json *job)
{
	const char *state = fl_json_text(job, "state");

	return strcmp(state, "up") == 0 || strcmp(state, "starting") == 0;
}

static bool
begins(const char *id, const char *word)
{
	const char *rest = strchr(id, '-');

	return strncmp(id, word, strlen(word)) == 0 || (rest != NULL && strncmp(rest + 1, word, strlen(word)) == 0);
}

static const struct fl_json *
find(const struct fl_json *jobs, const char *app, const char *word, struct fl_err *err)
{
	const struct fl_json *found[2] = { NULL, NULL }; /* ended, live */
	size_t n[2] = { 0, 0 };

	if (*word == '\0') { /* a script's variable that is not set: all ids begin with it */
		fl_err_set(err, FL_ERR_INVALID, "\"\" is no job of app %s: flynn ps lists them", app);
		return NULL;
	}
	for (size_t i = 0; i < fl_json_len(jobs); i++) {
		const struct fl_json *job = fl_json_at(jobs, i);
		bool live = is_live(job);

		if (strcmp(fl_json_text(job, "id"), word) == 0)
			return job;
		if (!begins(fl_json_text(job, "id"), word))
			continue;
		found[live] = job;
		n[live]++;
	}
	for (int live = 1; live >= 0; live--) {
		if (n[live] == 1)
			return found[live];
		if (n[live] > 1) {
			fl_err_set(err, FL_ERR_CONFLICT, "%zu jobs of app %s begin with %s: flynn ps%s lists them", n[live], app, word,
			    live ? "" : " -a");
			return NULL;
		}
	}
	fl_err_set(err, FL_ERR_NOT_FOUND, "app %s has no job %s: flynn ps -a lists them", app, word);
	return NULL;
}

static const struct fl_json *
newest_of_type(const struct fl_json *jobs, const char *type)
{
	for (size_t i = 0; i < fl_json_len(jobs); i++) { /* the newest first */
		const struct fl_json *job = fl_json_at(jobs, i);

		if (strcmp(fl_json_text(job, "type"), type) == 0 && strcmp(fl_json_text(job, "state"), "up") == 0)
			return job;
	}
	return NULL;
}

char *
jobs_resolve(struct cli *cli, const char *app, const char *word, bool types, struct fl_err *err)
{
	struct fl_json *jobs = client_app_call(cli, "GET", app, "/jobs", NULL, NULL, err);
	const struct fl_json *job = NULL;
	char *id = NULL, *host;

	if (jobs == NULL)
		return NULL;
	if (types)
		job = newest_of_type(jobs, word);
	if (job == NULL)
		job = find(jobs, app, word, err);
	if (job != NULL) {
		id = fl_xstrdup(fl_json_text(job, "id"));
	} else if ((host = fl_job_id_host(word)) != NULL) {
		id = fl_xstrdup(word); /* so new that it is not listed yet, or so old: its host knows */
		free(host);
	}
	fl_json_free(jobs);
	return id;
}
