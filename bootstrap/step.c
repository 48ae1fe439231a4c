#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "bootstrap/app.h"
#include "bootstrap/bootstrap.h"
#include "bootstrap/manifest.h"
#include "bootstrap/report.h"
#include "bootstrap/step.h"
#include "bootstrap/template.h"
#include "libflynn/err.h"
#include "libflynn/host_client.h"
#include "libflynn/job.h"
#include "libflynn/json.h"
#include "libflynn/map.h"
#include "libflynn/xmalloc.h"

#define STEP_TIMEOUT_S 120

static const struct action actions[] = {
	{ "add-app", action_add_app },
	{ "add-route", action_add_route },
	{ "complete-claim", action_complete_claim },
	{ "deploy-app", action_deploy_app },
	{ "gen-random", action_gen_random },
	{ "gen-ssh-key", action_gen_ssh_key },
	{ "gen-tls-cert", action_gen_tls_cert },
	{ "log", action_log },
	{ "run-app", action_run_app },
	{ "scale-app", action_scale_app },
	{ "wait", action_wait },
};

const struct action *
action_find(const char *name)
{
	for (size_t i = 0; i < fl_nitems(actions); i++)
		if (strcmp(actions[i].name, name) == 0)
			return &actions[i];
	return NULL;
}

static const char *
lookup_data(const char *id, const char *field, void *arg)
{
	const struct bootstrap *b = arg;
	const struct step *s = manifest_find(b->manifest, id);

	return s != NULL && s->state == STEP_DONE && s->data != NULL ? fl_map_get(s->data, field) : NULL;
}

static void
on_deadline(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct step *s = arg;
	struct fl_err err;

	fl_err_set(&err, FL_ERR_TIMEOUT, "not done after %d s, still waiting for %s: look at the log of flynn-host with docker logs",
	    STEP_TIMEOUT_S, s->waiting_for != NULL ? s->waiting_for : "an answer");
	step_fail(s, &err);
}

void
step_start(struct step *s)
{
	struct timeval tv = { STEP_TIMEOUT_S, 0 };
	struct fl_err err;

	s->state = STEP_RUNNING;
	report_step(s, "start", NULL, NULL);
	s->deadline = evtimer_new(s->bootstrap->base, on_deadline, s);
	evtimer_add(s->deadline, &tv);
	if ((s->spec = template_expand_json(s->template, lookup_data, s->bootstrap, &err)) == NULL)
		step_fail(s, &err);
	else
		s->action->run(s);
}

/* Start all that waited only for this; end the run when nothing is left. */
static void
start_successors(struct bootstrap *b)
{
	bool all_done = true;

	for (size_t i = 0; i < b->manifest->n && !b->ended; i++) {
		struct step *s = b->manifest->steps[i];
		bool ready = s->state == STEP_WAITING;

		for (size_t k = 0; k < s->n_after; k++)
			ready = ready && s->after[k]->state == STEP_DONE;
		if (ready)
			step_start(s);
		all_done = all_done && s->state == STEP_DONE;
	}
	if (all_done)
		bootstrap_end(b, EXIT_SUCCESS);
}

void
step_done(struct step *s, const char *message)
{
	if (s->bootstrap->ended)
		return;
	s->state = STEP_DONE;
	event_del(s->deadline);
	report_step(s, "done", message, NULL);
	start_successors(s->bootstrap);
}

void
step_fail(struct step *s, const struct fl_err *err)
{
	if (s->bootstrap->ended)
		return; /* by an earlier failure */
	report_step(s, "error", NULL, err->msg);
	bootstrap_end(s->bootstrap, EXIT_FAILURE);
}

void
step_fail_job(struct step *s, const struct fl_active_job *job)
{
	struct fl_err err;

	if (job->error != NULL)
		fl_err_set(&err, FL_ERR_UNAVAILABLE, "%s", job->error);
	else
		fl_err_set(&err, FL_ERR_UNAVAILABLE, "job %s exited %d before it was up", job->job->id, job->exit_status);
	step_fail(s, &err);
}

void
step_set_data(struct step *s, const char *name, const char *value)
{
	if (s->data == NULL)
		s->data = fl_map_new();
	free(fl_map_set(s->data, name, fl_xstrdup(value)));
}

struct step *
step_app_step(struct step *s, const char *member, struct fl_err *err)
{
	const char *id = fl_json_text(s->spec, member);
	struct step *other = manifest_find(s->bootstrap->manifest, id);

	if (other == NULL || other->app == NULL) {
		fl_err_set(err, FL_ERR_INVALID, "\"%s\" must name a step that made an app, not \"%s\"", member, id);
		return NULL;
	}
	return other;
}

void
step_free(struct step *s)
{
	if (s->work_free != NULL)
		s->work_free(s->work);
	if (s->deadline != NULL)
		event_free(s->deadline);
	fl_map_free_with(s->data, free);
	app_free(s->app);
	fl_json_free(s->template);
	fl_json_free(s->spec);
	free(s->after);
	free(s->id);
	free(s);
}
