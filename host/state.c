#include "host/state.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/claim.h"
#include "host/job.h"
#include "host/ports.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/json.h"
#include "libflynn/log.h"
#include "libflynn/xmalloc.h"

#define RETRY_S 2
/* A quarter is left for what jobs come to have later, and for layer 0. */
#define MAX_BYTES (FL_JSON_MAX_BYTES / 4 * 3)

struct state {
	struct host *host;
	char *path;
	struct event *save;
	size_t len; /* of the text, when it was written last */
	bool dirty, failed;
};

/* ---- reading ---- */

static int
read_whole(const char *path, struct fl_buf *text, struct fl_err *err)
{
	char piece[8192];
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC), status = -1;

	if (fd == -1)
		return fl_err_sys(err, "open %s", path);
	while ((n = read(fd, piece, sizeof(piece))) > 0 && text->len < FL_JSON_MAX_BYTES)
		fl_buf_add(text, piece, (size_t)n);
	if (n == -1)
		fl_err_sys(err, "read %s", path);
	else
		status = 0;
	close(fd);
	return status;
}

static int
load_job(struct host *h, const struct fl_json *v, struct fl_err *err)
{
	struct fl_active_job *active = fl_active_job_parse(fl_json_get(v, "active"), err);
	struct job *j;

	if (active == NULL)
		return -1;
	j = job_new(h, active);
	j->manifest_id = fl_xstrdup_null(fl_json_str(fl_json_get(v, "manifest"), NULL));
	j->wanted = fl_json_bool(fl_json_get(v, "wanted"), true);
	j->was_up = fl_json_bool(fl_json_get(v, "was_up"), false);
	j->stop_requested = fl_json_bool(fl_json_get(v, "stop_requested"), false);
	j->container_removed = fl_json_bool(fl_json_get(v, "container_removed"), false);
	if (!fl_json_bool(fl_json_get(v, "ended"), false)) {
		ports_retake(h->ports, j);
		j->registered = active->healthy; /* its instances are there, until their TTL */
		active->status = FL_JOB_STARTING;
		active->healthy = false;
		return 0;
	}
	j->wanted = false;
	j->end_status = active->status;
	job_enter(j, JOB_ENDED);
	return 0;
}

static int
load(struct host *h, const struct fl_json *v, struct fl_err *err)
{
	const struct fl_json *jobs = fl_json_get(v, "jobs");
	const char *ip = fl_json_str(fl_json_get(v, "external_ip"), NULL);
	struct job *j;

	h->id = fl_xstrdup_null(fl_json_str(fl_json_get(v, "host_id"), NULL));
	h->key = fl_xstrdup_null(fl_json_str(fl_json_get(v, "key"), NULL));
	ports_set_next(h->ports, (int)fl_json_int(fl_json_get(v, "next_port"), 0));
	claim_set(h->claim, fl_json_str(fl_json_get(v, "claim"), "none"));
	for (size_t i = 0; i < fl_json_len(jobs); i++)
		if (load_job(h, fl_json_at(jobs, i), err) == -1)
			return fl_err_wrap(err, "job %zu", i);
	/* The old address is in the environment of every container. */
	if (ip != NULL && strcmp(ip, h->cfg->external_ip) != 0)
		TAILQ_FOREACH (j, &h->jobs, link)
			j->renew_container = j->state != JOB_ENDED && !job_is_once(j);
	return 0;
}

static void on_save(evutil_socket_t fd, short what, void *arg);

struct state *
state_load(struct host *h, struct fl_err *err)
{
	struct state *s = fl_xcalloc(1, sizeof(*s)), *loaded = NULL;
	struct fl_buf text = { 0 };
	struct fl_json *v = NULL;

	s->host = h;
	s->path = fl_xstrdup(h->cfg->state_path);
	s->save = event_new(h->base, -1, 0, on_save, s);
	if (access(s->path, F_OK) == -1 && errno == ENOENT) {
		loaded = s;
		s = NULL;
		goto out;
	}
	if (read_whole(s->path, &text, err) == -1)
		goto out;
	if ((v = fl_json_parse(text.data, text.len, err)) == NULL || load(h, v, err) == -1) {
		fl_err_wrap(err, "cannot understand the state in %s (move it away to start from what the containers' labels tell)", s->path);
		goto out;
	}
	s->len = text.len;
	loaded = s;
	s = NULL;
out:
	fl_json_free(v);
	fl_buf_release(&text);
	state_free(s);
	return loaded;
}

/* ---- writing ---- */

static void
write_job(struct fl_jsonw *w, const struct job *j)
{
	struct fl_buf active = { 0 };

	fl_active_job_write(j->active, &active);
	fl_jsonw_open(w, NULL, '{');
	fl_jsonw_raw(w, "active", fl_buf_cstr(&active));
	fl_jsonw_str_oe(w, "manifest", j->manifest_id);
	fl_jsonw_bool(w, "wanted", j->wanted);
	fl_jsonw_bool(w, "was_up", j->was_up);
	fl_jsonw_bool(w, "stop_requested", j->stop_requested);
	fl_jsonw_bool(w, "container_removed", j->container_removed);
	fl_jsonw_bool(w, "ended", j->state == JOB_ENDED);
	fl_jsonw_close(w, '}');
	fl_buf_release(&active);
}

static void
write_state(const struct host *h, struct fl_buf *text)
{
	struct fl_jsonw w = fl_jsonw(text);
	const struct job *j;

	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_str(&w, "host_id", h->id);
	fl_jsonw_str(&w, "key", h->key);
	fl_jsonw_str(&w, "external_ip", h->cfg->external_ip);
	fl_jsonw_str(&w, "claim", claim_name(h->claim));
	fl_jsonw_int(&w, "next_port", ports_next(h->ports));
	fl_jsonw_open(&w, "jobs", '[');
	TAILQ_FOREACH (j, &h->jobs, link)
		write_job(&w, j);
	fl_jsonw_close(&w, ']');
	fl_jsonw_close(&w, '}');
	fl_buf_addc(text, '\n');
}

static int
write_whole(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		data += n;
		len -= (size_t)n;
	}
	return fsync(fd);
}

/* The rename is on the disk only when the directory is. */
static int
sync_directory(const char *path)
{
	char *copy = fl_xstrdup(path);
	int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC), status = -1;

	if (fd != -1)
		status = fsync(fd);
	if (fd != -1)
		close(fd);
	free(copy);
	return status;
}

static int
make_directory(const char *path)
{
	char *copy = fl_xstrdup(path);
	int status = mkdir(dirname(copy), 0700);

	free(copy);
	return status == -1 && errno != EEXIST ? -1 : 0;
}

static int
replace_file(const char *path, const struct fl_buf *text, struct fl_err *err)
{
	char *beside = fl_xasprintf("%s.new", path);
	int fd = -1, status = -1;

	if (make_directory(path) == -1 || (fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)) == -1 ||
	    write_whole(fd, text->data, text->len) == -1 || rename(beside, path) == -1 || sync_directory(path) == -1)
		fl_err_sys(err, "write the state to %s", path);
	else
		status = 0;
	if (fd != -1)
		close(fd);
	free(beside);
	return status;
}

int
state_flush(struct state *s, struct fl_err *err)
{
	static const struct timeval retry = { RETRY_S, 0 };
	struct fl_buf text = { 0 };
	struct fl_err why = { 0 };
	int status = 0;

	if (!s->dirty)
		return 0;
	event_del(s->save);
	write_state(s->host, &text);
	s->len = text.len;
	status = replace_file(s->path, &text, &why);
	fl_buf_release(&text);
	s->dirty = status == -1;
	if (status == 0) {
		s->failed = false;
		return 0;
	}
	if (!s->failed)
		fl_log_error("cannot remember what runs, trying again", fl_str("err", why.msg));
	s->failed = true;
	event_add(s->save, &retry);
	return fl_err_set(err, why.kind, "%s", why.msg);
}

static void
on_save(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	state_flush(arg, NULL);
}

void
state_touch(struct state *s)
{
	static const struct timeval now = { 0, 0 };

	if (s->dirty && s->failed)
		return; /* the next try is on its way */
	s->dirty = true;
	event_add(s->save, &now);
}

int
state_check_room(const struct state *s, size_t more, struct fl_err *err)
{
	if (s->len + more <= MAX_BYTES)
		return 0;
	return fl_err_set(err, FL_ERR_NO_SPACE,
	    "host %s can remember jobs of %u KiB and has %zu KiB of them, so none of %zu KiB: make the environments of apps smaller, or add a host",
	    s->host->id, MAX_BYTES >> 10, s->len >> 10, more >> 10);
}

bool
state_is_crowded(const struct state *s)
{
	return s->len > MAX_BYTES / 2;
}

void
state_free(struct state *s)
{
	if (s == NULL)
		return;
	event_free(s->save);
	free(s->path);
	free(s);
}
