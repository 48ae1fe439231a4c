/*
 * deployments - the API's deployments: asked for, listed, followed, given up. deployer.c carries them out.
 */
#ifndef CONTROLLER_DEPLOYMENTS_H
#define CONTROLLER_DEPLOYMENTS_H

/* How an app is deployed, in its meta; clients write it there. */
#define DEPLOYMENTS_META_STRATEGY "deploy.strategy"
#define DEPLOYMENTS_META_TIMEOUT "deploy.timeout"
#define DEPLOYMENTS_META_BATCH_SIZE "deploy.batch_size"
#define DEPLOYMENTS_META_BATCH_SIZE_2021 "flynn-deploy-batch-size" /* the last clients', where the other is not */

#define DEPLOYMENTS_TIMEOUT_MAX_S 3600

struct controller;
struct deployments;
struct fl_http_req;

/* Who follows deployments as server-sent events. */
struct deployments *deployments_new(struct controller *c);
void deployments_free(struct deployments *ds);
/* A deployment has another status; NULL: any may have. */
void deployments_changed(struct deployments *ds, const char *deployment_id);

/*
 * Queue a release ({"id"}, optionally "strategy", "timeout", "batch_size" and "processes", how many are to run of each type;
 * without them as many as run then) for the app. What is not said of the first three is as the app's meta says. "base" is the
 * release that this one was made of, "" for none: it fails, overtaken, when the app has another one at its turn.
 */
void deployments_create(struct fl_http_req *req, void *arg);
/* Those of an app, the newest first. */
void deployments_list(struct fl_http_req *req, void *arg);
/* One; with Accept: text/event-stream the deployment when its status changes and its release phase begins, until it has ended. */
void deployments_get(struct fl_http_req *req, void *arg);
/* Give it up: what ran before runs again. 400 when it has ended. */
void deployments_cancel(struct fl_http_req *req, void *arg);

/* Statements on one deployment, $1, begin with this, so that they and those on its app come one after another. */
#define DEPLOYMENTS_LOCK                                                                 \
	"WITH a AS (SELECT a.app_id, a.deleted_at FROM apps a JOIN deployments l USING (app_id)" \
	"  WHERE l.deployment_id = $1 FOR NO KEY UPDATE OF a),"
/*
 * Ends a deployment: its new release's jobs go, what ran before is asked for again. $1 the deployment, $2 its status
 * from now on, $3 why, $4 who must own it (NULL: whoever does). Returns the deployment's id, if it was open.
 */
extern const char deployments_give_up_sql[];
/*
 * What a transaction that asks for DEPLOYMENTS_IS_OPEN begins with, the app being its parameter 0: a statement sees what was
 * committed before it began, and not what came about while it waited for a lock.
 */
#define DEPLOYMENTS_LOCK_APP { "SELECT FROM apps WHERE app_id = find_app($1) FOR NO KEY UPDATE", 1, { 0 }, NULL }
/* A column of a query on apps a: whether the app is being deployed. */
#define DEPLOYMENTS_IS_OPEN "EXISTS (SELECT 1 FROM deployments o WHERE o.app_id = a.app_id AND o.finished_at IS NULL)"
/* What to say to those who would change what a deployment changes. */
#define DEPLOYMENTS_IN_THE_WAY "the app is being deployed: wait until that is done, or flynn deployment cancel"

#endif
