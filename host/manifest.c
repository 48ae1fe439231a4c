#include "host/manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/ending.h"
#include "host/feed.h"
#include "host/job.h"
#include "host/launcher.h"
#include "host/ports.h"
#include "host/state.h"
#include "host/template.h"
#include "libflynn/buf.h"
#include "libflynn/clock.h"
#include "libflynn/err.h"
#include "libflynn/json.h"
#include "libflynn/log.h"
#include "libflynn/map.h"
#include "libflynn/xmalloc.h"

#define MAX_BYTES (1u << 20)
#define MAX_PORTS 16

struct manifest {
	struct fl_json *root; /* NULL: no layer 0 */
};

/* ---- the file ---- */

struct manifest *
manifest_parse(const char *text, size_t len, struct fl_err *err)
{
	struct fl_json *root = fl_json_parse(text, len, err);
	struct manifest *m = NULL;

	if (root == NULL)
		return NULL;
	if (fl_json_type(root) != FL_JSON_ARRAY) {
		fl_err_set(err, FL_ERR_INVALID, "the manifest must be an array");
		fl_json_free(root);
		return NULL;
	}
	for (size_t i = 0; i < fl_json_len(root); i++) {
		const char *id = fl_json_text(fl_json_at(root, i), "id");

		if (*id == '\0' || strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789-") != strlen(id)) {
			fl_err_set(err, FL_ERR_INVALID, "entry %zu needs an \"id\" of a-z, 0-9 and \"-\"", i);
			fl_json_free(root);
			return NULL;
		}
	}
	m = fl_xcalloc(1, sizeof(*m));
	m->root = root;
	return m;
}

struct manifest *
manifest_load(const char *path, struct fl_err *err)
{
	struct manifest *m = NULL;
	struct fl_buf text = { 0 };
	char piece[8192];
	ssize_t n = 0;
	int fd = -1;

	if (path == NULL || *path == '\0')
		return fl_xcalloc(1, sizeof(*m));
	fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
	if (fd == -1) {
		fl_err_sys(err, "open the manifest %s", path);
		return NULL;
	}
	while (text.len < MAX_BYTES && (n = read(fd, piece, sizeof(piece))) > 0)
		fl_buf_add(&text, piece, (size_t)n);
	if (n == -1)
		fl_err_sys(err, "read the manifest %s", path);
	else if ((m = manifest_parse(fl_buf_cstr(&text), text.len, err)) == NULL)
		fl_err_wrap(err, "manifest %s", path);
	fl_buf_release(&text);
	close(fd);
	return m;
}

void
manifest_free(struct manifest *m)
{
	if (m == NULL)
		return;
	fl_json_free(m->root);
	free(m);
}

size_t
manifest_count(const struct manifest *m)
{
	return fl_json_len(m->root);
}

const char *
manifest_id(const struct manifest *m, size_t i)
{
	return fl_json_text(fl_json_at(m->root, i), "id");
}

/* ---- one entry ---- */

static int
read_ports(const struct fl_json *entry, int ports[MAX_PORTS], size_t *n, struct fl_err *err)
{
	const struct fl_json *list = NULL;

	if (fl_json_member_arr(entry, "tcp_ports", &list, err) == -1)
		return -1;
	if (fl_json_len(list) > MAX_PORTS)
		return fl_err_set(err, FL_ERR_INVALID, "more than %d tcp_ports", MAX_PORTS);
	for (*n = 0; *n < fl_json_len(list); (*n)++) {
		const char *text = fl_json_str(fl_json_at(list, *n), "");
		char *end = NULL;
		long port = strtol(text, &end, 10);

		if (*text == '\0' || *end != '\0' || port < 1 || port > 65535)
			return fl_err_set(err, FL_ERR_INVALID, "tcp_ports must hold strings of port numbers");
		ports[*n] = (int)port;
	}
	return 0;
}

/*
 * The first port is the service that the entry is; it decides whether the entry is up. Without a check it is none: one
 * that only this machine reaches must not be named to others.
 */
static int
add_ports(struct fl_job *job, const struct fl_json *entry, const struct template_data *data, struct fl_err *err)
{
	const struct fl_json *check = NULL;
	const char *type = "tcp", *path = NULL;

	if (fl_json_member_obj(entry, "check", &check, err) == -1 || fl_json_member_str(check, "type", &type, err) == -1 ||
	    fl_json_member_str(check, "path", &path, err) == -1)
		return -1;
	for (size_t i = 0; i < data->n_ports; i++) {
		struct fl_job_port *p = fl_job_add_port(job, data->ports[i]);

		if (i > 0 || strcmp(type, "none") == 0)
			continue;
		p->service = fl_xstrdup(fl_json_text(entry, "id"));
		free(p->check);
		p->check = fl_xstrdup(type);
		p->check_path = fl_xstrdup_null(path);
	}
	return 0;
}

/* Words that render blank are left out, so that an option may depend on a variable. */
static int
render_words(const struct fl_json *entry, const char *key, const struct template_data *data, char ***out, struct fl_err *err)
{
	const struct fl_json *list = NULL;
	char **words = NULL;
	size_t n = 0;

	if (fl_json_member_arr(entry, key, &list, err) == -1)
		return -1;
	words = fl_xcalloc(fl_json_len(list) + 1, sizeof(*words));
	for (size_t i = 0; i < fl_json_len(list); i++) {
		struct fl_buf word = { 0 };

		if (template_render(fl_json_str(fl_json_at(list, i), ""), data, &word, err) == -1) {
			fl_buf_release(&word);
			fl_job_words_free(words);
			return -1;
		}
		if (word.len > 0)
			words[n++] = fl_buf_detach(&word);
		fl_buf_release(&word);
	}
	if (n == 0) {
		fl_job_words_free(words);
		words = NULL;
	}
	*out = words;
	return 0;
}

static int
render_env(struct fl_job *job, const struct fl_json *entry, const struct template_data *data, struct fl_err *err)
{
	const struct fl_json *env = NULL;

	if (fl_json_member_obj(entry, "env", &env, err) == -1)
		return -1;
	for (size_t i = 0; i < fl_json_len(env); i++) {
		struct fl_buf value = { 0 };
		int status = template_render(fl_json_str(fl_json_at(env, i), ""), data, &value, err);

		if (status == 0)
			fl_job_set_env(job, fl_json_key_at(env, i), fl_buf_cstr(&value));
		fl_buf_release(&value);
		if (status == -1)
			return -1;
	}
	return 0;
}

static int
add_volumes(struct fl_job *job, const struct fl_json *entry, struct fl_err *err)
{
	const struct fl_json *volumes = NULL;

	if (fl_json_member_arr(entry, "volumes", &volumes, err) == -1)
		return -1;
	for (size_t i = 0; i < fl_json_len(volumes); i++) {
		const char *name = NULL, *target = NULL;

		if (fl_json_member_str(fl_json_at(volumes, i), "name", &name, err) == -1 ||
		    fl_json_member_str(fl_json_at(volumes, i), "target", &target, err) == -1)
			return -1;
		if (name == NULL || target == NULL || *target != '/')
			return fl_err_set(err, FL_ERR_INVALID, "a volume needs a \"name\" and an absolute \"target\"");
		fl_job_add_volume(job, name, target);
	}
	return 0;
}

static int
set_artifact(struct fl_job *job, const struct fl_json *entry, struct fl_err *err)
{
	const char *id = fl_json_text(entry, "id"), *image = NULL, *image_id = NULL;
	char *default_image = fl_xasprintf("https://registry.hub.docker.com/flynn/%s", id);
	int status = -1;

	if (fl_json_member_str(entry, "image", &image, err) == 0 && fl_json_member_str(entry, "image_id", &image_id, err) == 0) {
		job->artifact_type = fl_xstrdup("docker");
		job->artifact_uri = fl_xasprintf("%s%s%s", image != NULL ? image : default_image,
		    image_id != NULL ? "?id=" : "", image_id != NULL ? image_id : "");
		status = 0;
	}
	free(default_image);
	return status;
}

static int
fill_job(struct fl_job *job, const struct fl_json *entry, const struct template_data *known, struct fl_err *err)
{
	struct template_data data = *known;
	int ports[MAX_PORTS];

	if (read_ports(entry, ports, &data.n_ports, err) == -1)
		return -1;
	data.ports = ports;
	if (set_artifact(job, entry, err) == -1 || add_ports(job, entry, &data, err) == -1 ||
	    render_words(entry, "entrypoint", &data, &job->entrypoint, err) == -1 ||
	    render_words(entry, "args", &data, &job->cmd, err) == -1 || render_env(job, entry, &data, err) == -1 ||
	    add_volumes(job, entry, err) == -1 || fl_json_member_bool(entry, "host_network", &job->host_network, err) == -1)
		return -1;
	job->system = true;
	fl_job_set_meta(job, MANIFEST_META, fl_json_text(entry, "id"));
	return 0;
}

struct fl_job *
manifest_job(const struct manifest *m, size_t i, const struct template_data *data, struct fl_err *err)
{
	struct fl_job *job = fl_job_new();

	if (fill_job(job, fl_json_at(m->root, i), data, err) == 0)
		return job;
	fl_err_wrap(err, "layer 0, %s", manifest_id(m, i));
	fl_job_free(job);
	return NULL;
}

/* ---- all of it ---- */

static const char *
get_env(const char *name)
{
	return getenv(name);
}

static bool
same_spec(const struct fl_job *a, const struct fl_job *b)
{
	struct fl_buf x = { 0 }, y = { 0 };
	bool same;

	fl_job_write(a, &x);
	fl_job_write(b, &y);
	same = strcmp(fl_buf_cstr(&x), fl_buf_cstr(&y)) == 0;
	fl_buf_release(&x);
	fl_buf_release(&y);
	return same;
}

static void
change_spec(struct job *j, struct fl_job *spec)
{
	fl_log_info("layer 0 changed, making its container anew", fl_str("what", j->manifest_id));
	ports_release(j->host->ports, j);
	fl_job_free(j->active->job);
	j->active->job = spec;
	free(j->active->ports);
	j->active->ports = fl_xcalloc(spec->n_ports + 1, sizeof(*j->active->ports));
	j->renew_container = true;
	if (j->state == JOB_CHECKING || j->state == JOB_UP)
		ending_stop(j); /* wanted, so it starts again */
}

static int
apply_entry(struct host *h, size_t i, const struct template_data *data, struct fl_err *err)
{
	struct job *j = job_find_manifest(h, manifest_id(h->manifest, i));
	struct fl_job *spec = manifest_job(h->manifest, i, data, err);

	if (spec == NULL)
		return -1;
	if (j != NULL && j->state != JOB_ENDED) {
		spec->id = fl_xstrdup(job_id(j));
		if (same_spec(spec, job_spec(j)))
			fl_job_free(spec);
		else
			change_spec(j, spec);
		return 0;
	}
	fl_job_set_id(spec, h->id);
	j = job_new(h, job_active_of(h, spec, fl_clock_wall_us()));
	j->manifest_id = fl_xstrdup(manifest_id(h->manifest, i));
	feed_send(h->feed, "create", j);
	launcher_enqueue(j);
	return 0;
}

static bool
is_named(const struct manifest *m, const char *id)
{
	for (size_t i = 0; i < manifest_count(m); i++)
		if (strcmp(manifest_id(m, i), id) == 0)
			return true;
	return false;
}

int
manifest_apply(struct host *h, struct fl_err *err)
{
	const struct template_data data = {
		.external_ip = h->cfg->external_ip, .bridge_ip = h->bridge_ip, .host_id = h->id, .env = get_env
	};
	struct job *j;

	TAILQ_FOREACH (j, &h->jobs, link)
		if (j->manifest_id != NULL && j->wanted && !is_named(h->manifest, j->manifest_id))
			ending_request(j);
	for (size_t i = 0; i < manifest_count(h->manifest); i++)
		if (apply_entry(h, i, &data, err) == -1)
			return -1;
	state_touch(h->state);
	return 0;
}

bool
manifest_is_up(const struct host *h, struct fl_buf *why)
{
	bool up = true;

	for (size_t i = 0; i < manifest_count(h->manifest); i++) {
		const struct job *j = job_find_manifest(h, manifest_id(h->manifest, i));

		if (j != NULL && j->state == JOB_UP)
			continue;
		if (why != NULL)
			fl_buf_addf(why, "%s%s is %s%s%s", up ? "" : "; ", manifest_id(h->manifest, i),
			    j != NULL ? job_state_name(j->state) : "missing", j != NULL && j->active->error != NULL ? ": " : "",
			    j != NULL && j->active->error != NULL ? j->active->error : "");
		up = false;
	}
	return up;
}
