#include "host/death.h"

#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "host/container.h"
#include "host/engine.h"
#include "host/job.h"
#include "host/mux.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/json.h"
#include "libflynn/size.h"
#include "libflynn/xmalloc.h"

#define LAST_LINES "5"
#define MAX_WORDS 1500
#define US_PER_S 1000000.0

struct death {
	struct job *job;
	struct engine_probe *probe;
	struct fl_http_call *call;
	struct container_info info;
	struct fl_buf words;
	death_cb cb;
};

void
death_cancel(struct death *d)
{
	if (d == NULL)
		return;
	engine_probe_cancel(d->probe);
	if (d->call != NULL)
		fl_http_call_cancel(d->call);
	container_info_release(&d->info);
	fl_buf_release(&d->words);
	free(d);
}

/* The end of the text from a line's beginning on, if it is too long. */
static const char *
bounded_tail(const char *text, size_t len)
{
	const char *tail, *nl;

	if (len <= MAX_WORDS)
		return text;
	tail = text + len - MAX_WORDS;
	nl = strchr(tail, '\n');
	return nl != NULL && nl[1] != '\0' ? nl + 1 : tail;
}

static void
death_end(struct death *d, enum death_kind kind)
{
	struct job *j = d->job;
	struct container_info info = d->info;
	struct fl_buf words = d->words;
	death_cb cb = d->cb;

	d->info = (struct container_info){ 0 };
	d->words = (struct fl_buf){ 0 };
	j->death = NULL;
	death_cancel(d);
	cb(j, kind, &info, bounded_tail(fl_buf_cstr(&words), words.len));
	container_info_release(&info);
	fl_buf_release(&words);
}

static void
on_image(const struct fl_http_result *res, const struct fl_err *call_err, void *arg)
{
	struct death *d = arg;
	struct fl_json *v = NULL;

	d->call = NULL;
	if (engine_check(d->job->host->engine, res, call_err, "inspect its image", NULL) == 0)
		v = fl_json_parse(res->body, res->len, NULL);
	d->info.image_arch = fl_xstrdup_null(fl_json_str(fl_json_get(v, "Architecture"), NULL));
	fl_json_free(v);
	death_end(d, DEATH_ENDED);
}

/* Whether the kernel would not run it (ENOEXEC): not every image of another architecture is one that cannot run. */
static bool
is_unable(const struct death *d)
{
	return d->info.exit_code != 0 && strcasestr(fl_buf_cstr(&d->words), "exec format error") != NULL;
}

static void
on_logs(const struct fl_http_result *res, const struct fl_err *call_err, void *arg)
{
	struct death *d = arg;
	struct engine *e = d->job->host->engine;
	struct fl_buf *words = &d->words;

	d->call = NULL;
	if (engine_check(e, res, call_err, "read its log", NULL) == 0) {
		if (job_spec(d->job)->tty)
			fl_buf_add(words, res->body, res->len);
		else
			mux_text(res->body, res->len, words);
	}
	while (words->len > 0 && strchr("\r\n", words->data[words->len - 1]) != NULL)
		words->data[--words->len] = '\0';
	if (is_unable(d) && d->info.image != NULL)
		d->call = engine_start(e, NULL, on_image, d, "/images/%s/json", d->info.image);
	else
		death_end(d, DEATH_ENDED);
}

static void
on_inspected(const struct fl_http_result *res, const struct fl_err *call_err, void *arg)
{
	struct death *d = arg;
	struct engine *e = d->job->host->engine;
	struct fl_err err = { 0 };
	struct fl_json *v = NULL;

	d->call = NULL;
	if (engine_check(e, res, call_err, "inspect the container", &err) == -1) {
		death_end(d, err.kind == FL_ERR_NOT_FOUND ? DEATH_GONE : DEATH_INTERRUPTED);
		return;
	}
	v = engine_parse(res, NULL);
	if (v == NULL || container_parse(v, &d->info, &err) == -1)
		death_end(d, DEATH_GONE);
	else if (d->info.running)
		death_end(d, DEATH_RUNS);
	else
		d->call = engine_start(e, NULL, on_logs, d, "/containers/%s/logs?stdout=1&stderr=1&tail=" LAST_LINES, d->info.id);
	fl_json_free(v);
}

static void
on_probed(bool alive, void *arg)
{
	struct death *d = arg;

	d->probe = NULL;
	if (alive)
		d->call = engine_inspect(d->job->host->engine, d->job->active->container_id, on_inspected, d);
	else {
		engine_give_up(d->job->host->engine);
		death_end(d, DEATH_INTERRUPTED);
	}
}

struct death *
death_start(struct job *j, death_cb cb)
{
	struct death *d = fl_xcalloc(1, sizeof(*d));

	d->job = j;
	d->cb = cb;
	d->probe = engine_probe_start(j->host->engine, on_probed, d);
	return d;
}

/* ---- the sentence ---- */

void
death_explain(const char *what, const struct container_info *info, const char *arch, int64_t memory_bytes,
    const char *words, struct fl_buf *out)
{
	int64_t lived_us = info->finished_us > info->started_us ? info->finished_us - info->started_us : 0;
	int sig = info->exit_code - 128;

	if (info->image_arch != NULL && strcmp(info->image_arch, arch) != 0) {
		fl_buf_addf(out, "image is %s, host is %s", info->image_arch, arch);
		return;
	}
	if (info->oom_killed && memory_bytes > 0) {
		fl_buf_addf(out, "%s was killed at its memory limit of ", what);
		fl_size_write(out, memory_bytes);
	} else if (info->oom_killed) {
		fl_buf_addf(out, "%s was killed because this machine has no memory left", what);
	} else if (sig > 0 && sig < NSIG && sigabbrev_np(sig) != NULL) {
		fl_buf_addf(out, "%s was ended by SIG%s", what, sigabbrev_np(sig));
	} else {
		fl_buf_addf(out, "%s exited %d", what, info->exit_code);
	}
	fl_buf_addf(out, " after %.1f s", (double)lived_us / US_PER_S);
	if (*words != '\0')
		fl_buf_addf(out, "\n%s", words);
}
