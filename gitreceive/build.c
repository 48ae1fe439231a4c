#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gitreceive/build.h"
#include "gitreceive/cluster.h"
#include "gitreceive/output.h"
#include "gitreceive/tree_tar.h"
#include "gitreceive/types.h"
#include "libflynn/attach.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/frame.h"
#include "libflynn/host_client.h"
#include "libflynn/http_client.h"
#include "libflynn/job.h"
#include "libflynn/json.h"
#include "libflynn/sign.h"
#include "libflynn/uuid.h"
#include "libflynn/xmalloc.h"

#define MAX_BUILD_S (60 * 60)
#define CHUNK (64u << 10)
/* Stop reading the tree while so much of it waits to be taken. */
#define PENDING_MAX (256u << 10)

struct build {
	struct event_base *base;
	struct fl_http_client *http;
	struct fl_attach *attach;
	struct event *tree, *deadline;
	const struct cluster *cluster;
	struct fl_job *job;
	const char *commit;
	pid_t tar_pid;
	int tar_fd;
	struct types *types;
	int status; /* of the builder; -1: not ended */
	struct fl_err err;
};

static void
build_fail(struct build *b, const struct fl_err *err)
{
	if (b->err.kind == FL_ERR_NONE)
		b->err = *err;
	event_base_loopbreak(b->base);
}

/* The reader of the tree has ended: a tree cut short must not be built. */
static void
end_tree(struct build *b)
{
	int status = 0;
	struct fl_err err;

	event_del(b->tree);
	waitpid(b->tar_pid, &status, 0);
	b->tar_pid = 0;
	if (status == 0) {
		fl_attach_send_eof(b->attach);
		return;
	}
	fl_err_set(&err, FL_ERR_SYSTEM, "the pushed tree could not be read whole");
	build_fail(b, &err);
}

static void
on_tree(evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct build *b = arg;
	char chunk[CHUNK];
	ssize_t n = read(fd, chunk, sizeof(chunk));

	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		end_tree(b);
		return;
	}
	fl_attach_send(b->attach, chunk, (size_t)n);
	if (fl_attach_pending(b->attach) > PENDING_MAX)
		event_del(b->tree); /* on_drain goes on */
}

static void
on_drain(FL_UNUSED struct fl_attach *a, void *arg)
{
	struct build *b = arg;

	if (b->tree != NULL && b->tar_pid != 0)
		event_add(b->tree, NULL);
}

static void
on_open(FL_UNUSED struct fl_attach *a, void *arg)
{
	struct build *b = arg;
	struct fl_err err;

	if ((b->tar_pid = tree_tar_start(b->commit, &b->tar_fd, &err)) == -1) {
		b->tar_pid = 0;
		build_fail(b, &err);
		return;
	}
	fcntl(b->tar_fd, F_SETFL, O_NONBLOCK);
	b->tree = event_new(b->base, b->tar_fd, EV_READ | EV_PERSIST, on_tree, b);
	event_add(b->tree, NULL);
}

static void
on_frame(FL_UNUSED struct fl_attach *a, const struct fl_frame *f, void *arg)
{
	struct build *b = arg;

	if (f->type == FL_FRAME_EXIT) {
		b->status = (int)f->value;
	} else if (f->type == FL_FRAME_DATA && f->len > 0) {
		types_feed(b->types, (const char *)f->data, f->len);
		output_write((const char *)f->data, f->len);
	}
}

static void
on_end(FL_UNUSED struct fl_attach *a, const struct fl_err *err, void *arg)
{
	struct build *b = arg;
	struct fl_err why;

	if (err == NULL && b->status == -1) {
		fl_err_set(&why, FL_ERR_UNAVAILABLE, "the host ended the connection to the builder");
		err = &why;
	}
	if (err != NULL)
		build_fail(b, err);
	event_base_loopbreak(b->base);
}

static void
on_added(const struct fl_err *err, void *arg)
{
	if (err != NULL)
		build_fail(arg, err);
}

/* The host waits for a job of this id: now that we listen, nothing it says is lost. */
static void
on_waiting(FL_UNUSED struct fl_attach *a, void *arg)
{
	struct build *b = arg;

	fl_host_add_job(b->http, b->cluster->host, b->job, on_added, b);
}

static const struct fl_attach_ops attach_ops = {
	.on_open = on_open, .on_frame = on_frame, .on_end = on_end, .on_drain = on_drain, .on_waiting = on_waiting
};

static void
on_deadline(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct fl_err err;

	fl_err_set(&err, FL_ERR_TIMEOUT, "the build took longer than %d minutes and was ended", MAX_BUILD_S / 60);
	build_fail(arg, &err);
}

static void
set_url(struct fl_job *job, const struct cluster *c, const char *name, const char *path, enum fl_sign_right right)
{
	char *base = fl_xasprintf("http://%s", c->shelf), *url = fl_sign_url(c->cluster_key, base, path, right);

	fl_job_set_env(job, name, url);
	free(base);
	free(url);
}

/* The builder may write this one slug and this app's cache, and nothing else of shelf. */
static struct fl_job *
make_job(const struct cluster *c, const char *app_id, const struct fl_json *release, const char *slug_path)
{
	const struct fl_json *env = fl_json_get(release, "env");
	const char *buildpack = fl_json_str(fl_json_get(env, "BUILDPACK_URL"), NULL);
	char *cache_path = fl_xasprintf("/cache/%s.tar.zst", app_id);
	struct fl_job *job = fl_job_new();
	struct fl_buf text = { 0 };
	struct fl_jsonw w = fl_jsonw(&text);

	fl_job_set_id(job, c->host_id);
	free(job->artifact_uri);
	job->artifact_uri = fl_xstrdup(c->builder_uri);
	job->stdin_open = true;
	job->stop_on_detach = true;
	set_url(job, c, "SLUG_PUT_URL", slug_path, FL_SIGN_WRITE);
	set_url(job, c, "CACHE_GET_URL", cache_path, FL_SIGN_READ);
	set_url(job, c, "CACHE_PUT_URL", cache_path, FL_SIGN_WRITE);
	if (fl_json_len(env) > 0) {
		fl_jsonw_value(&w, NULL, env);
		fl_job_set_env(job, "BUILD_ENV", fl_buf_cstr(&text));
	}
	if (buildpack != NULL)
		fl_job_set_env(job, "BUILDPACK_URL", buildpack);
	fl_buf_release(&text);
	free(cache_path);
	return job;
}

static void
run_loop(struct build *b)
{
	struct fl_attach_opts opts = { .key = b->cluster->cluster_key, .state_byte = 1 };
	struct timeval tv = { MAX_BUILD_S, 0 };
	char *url = fl_xasprintf("http://%s/attach", b->cluster->host);
	char *body = fl_xasprintf("{\"job_id\":\"%s\",\"flags\":%d}", b->job->id,
	    FL_ATTACH_STDOUT | FL_ATTACH_STDERR | FL_ATTACH_STDIN | FL_ATTACH_STREAM);

	opts.url = url;
	opts.body = body;
	b->deadline = evtimer_new(b->base, on_deadline, b);
	evtimer_add(b->deadline, &tv);
	b->attach = fl_attach_start(b->base, &opts, &attach_ops, b);
	event_base_dispatch(b->base);
	free(url);
	free(body);
}

static void
build_release(struct build *b)
{
	if (b->tar_pid != 0) {
		kill(b->tar_pid, SIGKILL);
		waitpid(b->tar_pid, NULL, 0);
	}
	if (b->tree != NULL)
		event_free(b->tree);
	if (b->tar_fd != -1)
		close(b->tar_fd);
	event_free(b->deadline);
	fl_attach_free(b->attach);
	fl_http_client_free(b->http);
	event_base_free(b->base);
	fl_job_free(b->job);
}

char *
build_run(const struct cluster *c, const char *app_id, const struct fl_json *release, const char *commit,
    struct types *types, struct fl_err *err)
{
	struct build b = { .cluster = c, .commit = commit, .tar_fd = -1, .types = types, .status = -1 };
	char id[FL_UUID_LEN + 1], *slug_path, *base, *url = NULL;

	if (c->host == NULL || c->shelf == NULL) {
		fl_err_set(err, FL_ERR_UNAVAILABLE, "%s is away just now: push again in a moment", c->host == NULL ? "flynn-host" : "shelf");
		return NULL;
	}
	fl_uuid_new(id);
	slug_path = fl_xasprintf("/slugs/%s.tar.zst", id);
	b.base = event_base_new();
	b.http = fl_http_client_new(b.base, c->cluster_key);
	b.job = make_job(c, app_id, release, slug_path);
	run_loop(&b);
	if (b.err.kind != FL_ERR_NONE)
		*err = b.err;
	else if (b.status != 0)
		fl_err_set(err, FL_ERR_INVALID, "Build failed (the builder exited with status %d): what it said is above. Nothing was deployed.", b.status);
	if (b.err.kind == FL_ERR_NONE && b.status == 0) {
		/* By name, for shelf may be elsewhere when the slug is run. */
		base = fl_xasprintf("http://shelf.discoverd%s", strrchr(c->shelf, ':'));
		url = fl_sign_url(c->cluster_key, base, slug_path, FL_SIGN_READ);
		free(base);
	}
	build_release(&b);
	free(slug_path);
	return url;
}
