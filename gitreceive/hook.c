/*
 * git's pre-receive hook: build and deploy what was pushed, or decline the push with a sentence.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include "gitreceive/build.h"
#include "gitreceive/cluster.h"
#include "gitreceive/deploy.h"
#include "gitreceive/gitreceive.h"
#include "gitreceive/output.h"
#include "gitreceive/refs.h"
#include "gitreceive/types.h"
#include "libflynn/deploy.h"
#include "libflynn/err.h"
#include "libflynn/json.h"
#include "libflynn/log.h"
#include "libflynn/xmalloc.h"

/* The app's release, JSON null when it has none, NULL with err when it cannot be known. */
static struct fl_json *
current_release(const struct cluster *c, const char *app, struct fl_err *err)
{
	char *path = fl_xasprintf("/apps/%s/release", app);
	struct fl_err why = { 0 };
	struct fl_json *release = cluster_call(c, "GET", path, NULL, &why);

	if (release == NULL && why.kind == FL_ERR_NOT_FOUND)
		release = fl_json_parse("null", 4, &why);
	if (release == NULL)
		*err = why;
	free(path);
	return release;
}

static char *
app_id(const struct cluster *c, const char *app, struct fl_err *err)
{
	char *path = fl_xasprintf("/apps/%s", app), *id = NULL;
	struct fl_json *record = cluster_call(c, "GET", path, NULL, err);

	if (record != NULL)
		id = fl_xstrdup(fl_json_text(record, "id"));
	fl_json_free(record);
	free(path);
	return id;
}

static int
push(const struct cluster *c, const char *app, const char *commit, struct fl_err *err)
{
	struct types types = { 0 };
	struct fl_json *release = NULL;
	char *id = NULL, *slug_url = NULL;
	int r = -1, tries = 0;

	if ((id = app_id(c, app, err)) == NULL || (release = current_release(c, app, err)) == NULL)
		goto out;
	output_line("-----> Building %s...", app);
	if ((slug_url = build_run(c, id, release, commit, &types, err)) == NULL)
		goto out;
	do { /* what was set while the build took its time, or before its turn came, stays set */
		fl_json_free(release);
		if ((release = current_release(c, app, err)) == NULL)
			goto out;
		r = deploy_run(c, app, release, slug_url, &types, err);
	} while (r == -1 && err->kind == FL_ERR_CONFLICT && ++tries < FL_DEPLOY_TRIES_MAX);
out:
	types_release(&types);
	fl_json_free(release);
	free(id);
	free(slug_url);
	return r;
}

int
hook_main(void)
{
	const char *app = getenv("RECEIVE_APP");
	char commit[REFS_OID_LEN + 1];
	struct cluster c;
	struct fl_err err;
	int r;

	fl_log_init("gitreceive");
	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0); /* a push that is given up takes its build with it */
	cluster_read(&c);
	if ((r = refs_read(stdin, commit, &err)) == 0 && *commit != '\0')
		r = push(&c, app != NULL ? app : "", commit, &err);
	if (r == -1)
		output_line(" !     %s", err.msg);
	cluster_release(&c);
	return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
