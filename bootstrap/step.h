/*
 * step - one entry of the manifest and the rules of its life.
 *
 * A step starts when all that it comes after are done; its action ends it by exactly one
 * step_done() or step_fail(), at once or later. The first failure ends the run.
 */
#ifndef BOOTSTRAP_STEP_H
#define BOOTSTRAP_STEP_H

#include <stdbool.h>
#include <stddef.h>

#include "libflynn/attr.h"

struct app;
struct bootstrap;
struct event;
struct fl_active_job;
struct fl_err;
struct fl_json;
struct fl_map;
struct step;

struct action {
	const char *name;
	void (*run)(struct step *s);
};

enum step_state { STEP_WAITING, STEP_RUNNING, STEP_DONE };

struct step {
	struct bootstrap *bootstrap;
	char *id;
	const struct action *action;
	struct fl_json *template; /* as in the manifest */
	struct fl_json *spec;	  /* templates expanded; set when it starts */
	struct step **after;
	size_t n_after;
	enum step_state state;
	struct event *deadline;
	const char *waiting_for; /* what a time-out names; static text */
	struct fl_map *data;	 /* what other steps' templates may use: name -> char * */
	struct app *app;	 /* what run-app and deploy-app made; NULL for others */
	/* Told of every job of the host, as it is now, while the step runs; NULL: it does not care. */
	void (*on_job)(struct step *s, const struct fl_active_job *job);
	int failed_jobs;	 /* of its own, as on_job counts them */
	void *work;		 /* the action's own, freed by work_free */
	void (*work_free)(void *);
};

/* The action of that name, or NULL. */
const struct action *action_find(const char *name);

void step_start(struct step *s);
/* Both do nothing once the run has ended. message may be NULL. */
void step_done(struct step *s, const char *message);
void step_fail(struct step *s, const struct fl_err *err);
/* Why a job that is over never did its work: the host's sentence, or its exit status. */
void step_fail_job(struct step *s, const struct fl_active_job *job);
/* Publish a value to templates of later steps; copied. */
void step_set_data(struct step *s, const char *name, const char *value);
/* The step that member names ("app_step": "x"), one this step comes after; NULL (INVALID) when it is none or made no app. */
struct step *step_app_step(struct step *s, const char *member, struct fl_err *err);
void step_free(struct step *s);

void action_add_app(struct step *s);
void action_add_route(struct step *s);
void action_complete_claim(struct step *s);
void action_deploy_app(struct step *s);
void action_gen_random(struct step *s);
void action_gen_ssh_key(struct step *s);
void action_gen_tls_cert(struct step *s);
void action_log(struct step *s);
void action_run_app(struct step *s);
void action_scale_app(struct step *s);
void action_wait(struct step *s);

#endif
