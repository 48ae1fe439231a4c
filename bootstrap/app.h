/*
 * app - an app that a step makes: what the manifest says of it, its ids, and its way into the controller.
 */
#ifndef BOOTSTRAP_APP_H
#define BOOTSTRAP_APP_H

#include <stddef.h>

struct fl_err;
struct fl_json;
struct step;

/* What a provider gave the app. */
struct app_resource {
	char *provider, *url;
	char *external_id;
	struct fl_json *env; /* NULL until provisioned */
};

struct app {
	char *id, *name;
	struct fl_json *app;	  /* App: id name protected meta */
	struct fl_json *artifact; /* type, uri */
	struct fl_json *release;  /* Release: id env processes; env holds the resources' once provisioned */
	struct fl_json *processes; /* type -> count */
	char *artifact_id;	   /* the controller's; NULL until known */
	struct app_resource *resources;
	size_t n_resources;
};

/* From the step's "app", "artifact", "release", "processes" and "resources"; ids are chosen here. */
struct app *app_parse(const struct fl_json *spec, struct fl_err *err);
void app_free(struct app *a);

/*
 * Ask each provider for a resource and put its environment into the release; then done(s).
 * A failure fails the step.
 */
void app_provision(struct step *s, struct app *a, void (*done)(struct step *s));
/* Record app, artifact, providers, resources, release, app release and formation in the controller; then done(s). */
void app_create(struct step *s, struct app *a, void (*done)(struct step *s));

#endif
