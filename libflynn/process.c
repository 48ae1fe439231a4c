#include <stdlib.h>
#include <string.h>

#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/job.h"
#include "libflynn/json.h"
#include "libflynn/map.h"
#include "libflynn/process.h"
#include "libflynn/xmalloc.h"

#define MAX_PORTS_OF_COUNT 16

static int
add_env(struct fl_job *job, const struct fl_json *env, const char *whose, struct fl_err *err)
{
	for (size_t i = 0; i < fl_json_len(env); i++) {
		const char *value = fl_json_str(fl_json_at(env, i), NULL);

		if (value == NULL)
			return fl_err_set(err, FL_ERR_INVALID, "environment variable %s of the %s is no string",
			    fl_json_key_at(env, i), whose);
		fl_job_set_env(job, fl_json_key_at(env, i), value);
	}
	return 0;
}

static void
set_service(struct fl_job_port *port, const struct fl_json *service)
{
	const struct fl_json *check;
	const char *name = fl_json_str(service, fl_json_str(fl_json_get(service, "name"), NULL));

	if (name == NULL || *name == '\0')
		return;
	free(port->service);
	port->service = fl_xstrdup(name);
	if (fl_json_is_null(check = fl_json_get(service, "check")))
		return;
	free(port->check);
	port->check = fl_xstrdup(fl_json_str(fl_json_get(check, "type"), "tcp"));
	free(port->check_path);
	port->check_path = fl_xstrdup_null(fl_json_str(fl_json_get(check, "path"), NULL));
	port->check_status = (int)fl_json_int(fl_json_get(check, "status"), 0);
	port->timeout_s = (int)fl_json_int(fl_json_get(check, "timeout_s"), port->timeout_s);
}

static int
add_ports(struct fl_job *job, const struct fl_json *ports, struct fl_err *err)
{
	int64_t tcp = 0;

	if (fl_json_type(ports) == FL_JSON_OBJECT) {
		if (fl_json_member_int(ports, "tcp", 0, MAX_PORTS_OF_COUNT, &tcp, err) == -1)
			return -1;
		while (tcp-- > 0)
			fl_job_add_port(job, 0);
		return 0;
	}
	for (size_t i = 0; i < fl_json_len(ports); i++) {
		const struct fl_json *spec = fl_json_at(ports, i);
		const char *proto = "tcp";
		struct fl_job_port *port;
		int64_t number = 0;

		if (fl_json_member_int(spec, "port", 0, 65535, &number, err) == -1 ||
		    fl_json_member_str(spec, "proto", &proto, err) == -1)
			return -1;
		port = fl_job_add_port(job, (int)number);
		if (*proto != '\0') {
			free(port->proto);
			port->proto = fl_xstrdup(proto);
		}
		set_service(port, fl_json_get(spec, "service"));
	}
	return 0;
}

/* The first port serves what the type as a whole was named for, in either spelling. */
static void
name_first_port(struct fl_job *job, const struct fl_json *type)
{
	char *sd_name = fl_map_remove(job->env, "SD_NAME");
	const struct fl_json *service = fl_json_get(type, "service");

	if (job->n_ports > 0 && job->ports[0].service == NULL) {
		if (!fl_json_is_null(service))
			set_service(&job->ports[0], service);
		else if (sd_name != NULL && *sd_name != '\0')
			job->ports[0].service = fl_xstrdup(sd_name);
	}
	free(sd_name);
}

/* Letters that every volume's name may have, and what is unlike for unlike text. */
static void
add_encoded(struct fl_buf *b, const char *text)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz0123456789-";

	for (; *text != '\0'; text++) {
		if (*text == '/')
			fl_buf_addc(b, '.');
		else if (strchr(plain, *text) != NULL)
			fl_buf_addc(b, *text);
		else
			fl_buf_addf(b, "_%02x", (unsigned)(unsigned char)*text);
	}
}

char *
fl_process_volume_name(const char *app_id, bool is_system, const char *type, const char *path, const char *name)
{
	struct fl_buf b = { 0 };

	if (name != NULL && *name != '\0') {
		fl_buf_addf(&b, "%s%s%s", is_system ? "" : app_id, is_system ? "" : "-", name);
	} else {
		fl_buf_addf(&b, "%s-", app_id);
		add_encoded(&b, type);
		if (strcmp(path, FL_PROCESS_DATA) != 0)
			add_encoded(&b, path);
	}
	return fl_buf_detach(&b);
}

/* "_v" begins nothing that add_encoded() writes. */
char *
fl_process_volume_number(char *name, int64_t number)
{
	char *numbered;

	if (number == 0)
		return name;
	numbered = fl_xasprintf("%s_v%lld", name, (long long)number);
	free(name);
	return numbered;
}

static void
add_volume(struct fl_job *job, const char *app_id, const char *type_name, const char *path, const char *name)
{
	char *full = fl_process_volume_name(app_id, job->system, type_name, path, name);

	fl_job_add_volume(job, full, path);
	free(full);
}

static void
add_volumes(struct fl_job *job, const struct fl_json *type, const char *app_id, const char *type_name)
{
	const struct fl_json *volumes = fl_json_get(type, "volumes");

	if (fl_json_bool(fl_json_get(type, "data"), false))
		add_volume(job, app_id, type_name, FL_PROCESS_DATA, NULL);
	for (size_t i = 0; i < fl_json_len(volumes); i++) {
		const struct fl_json *v = fl_json_at(volumes, i);

		add_volume(job, app_id, type_name, fl_json_str(fl_json_get(v, "path"), FL_PROCESS_DATA),
		    fl_json_str(fl_json_get(v, "name"), NULL));
	}
}

static void
name_volumes(struct fl_job *job)
{
	struct fl_buf paths = { 0 };

	for (size_t i = 0; i < job->n_volumes; i++)
		fl_buf_addf(&paths, "%s%s", i > 0 ? ":" : "", job->volumes[i].target);
	if (paths.len > 0)
		fl_job_set_env(job, FL_PROCESS_VOLUMES, paths.data);
	fl_buf_release(&paths);
}

int64_t
fl_process_limit(const struct fl_json *type, const char *name)
{
	const struct fl_json *v = fl_json_get(fl_json_get(type, "resources"), name);

	return fl_json_int(fl_json_type(v) == FL_JSON_OBJECT ? fl_json_get(v, "limit") : v, 0);
}

void
fl_process_write_ports(struct fl_jsonw *w, const char *app, const char *type)
{
	char *service = fl_xasprintf("%s-%s", app, type);

	fl_jsonw_open(w, "ports", '[');
	fl_jsonw_open(w, NULL, '{');
	fl_jsonw_int(w, "port", 0);
	fl_jsonw_str(w, "proto", "tcp");
	fl_jsonw_open(w, "service", '{');
	fl_jsonw_str(w, "name", service);
	fl_jsonw_close(w, '}');
	fl_jsonw_close(w, '}');
	fl_jsonw_close(w, ']');
	free(service);
}

static void
set_meta(struct fl_job *job, const struct fl_json *app, const struct fl_json *release, const char *type)
{
	const char *app_id = fl_json_text(app, "id");
	const char *app_name = fl_json_text(app, "name");
	const char *release_id = fl_json_text(release, "id");

	fl_job_set_meta(job, FL_JOB_META_APP, app_id);
	fl_job_set_meta(job, FL_JOB_META_APP_NAME, app_name);
	fl_job_set_meta(job, FL_JOB_META_RELEASE, release_id);
	fl_job_set_meta(job, FL_JOB_META_TYPE, type);
	fl_job_set_env(job, "FLYNN_APP_ID", app_id);
	fl_job_set_env(job, "FLYNN_APP_NAME", app_name);
	fl_job_set_env(job, "FLYNN_RELEASE_ID", release_id);
	fl_job_set_env(job, "FLYNN_PROCESS_TYPE", type);
}

static void
set_artifact(struct fl_job *job, const struct fl_json *artifact)
{
	const char *kind = fl_json_text(artifact, "type");

	job->artifact_type = fl_xstrdup(*kind != '\0' ? kind : "docker");
	job->artifact_uri = fl_xstrdup(fl_json_text(artifact, "uri"));
}

struct fl_job *
fl_process_job(const struct fl_json *app, const struct fl_json *release,
    const struct fl_json *artifact, const char *type_name, const char *host_id, struct fl_err *err)
{
	const struct fl_json *type = fl_json_get(fl_json_get(release, "processes"), type_name);
	const struct fl_json *cmd;
	const struct fl_json *meta = fl_json_get(app, "meta");
	struct fl_job *job = fl_job_new(), *made = NULL;

	if (fl_json_is_null(type)) {
		fl_err_set(err, FL_ERR_INVALID, "the release has no process type \"%s\"", type_name);
		goto out;
	}
	free(job->artifact_type);
	free(job->artifact_uri);
	set_artifact(job, artifact);
	fl_job_set_id(job, host_id);
	if (add_env(job, fl_json_get(release, "env"), "release", err) == -1 ||
	    add_env(job, fl_json_get(type, "env"), "process type", err) == -1 ||
	    add_ports(job, fl_json_get(type, "ports"), err) == -1)
		goto out;
	set_meta(job, app, release, type_name);
	job->system = strcmp(fl_json_text(meta, FL_APP_META_SYSTEM), "true") == 0;
	name_first_port(job, type);
	add_volumes(job, type, fl_json_text(app, "id"), type_name);
	name_volumes(job);
	cmd = fl_json_get(type, fl_json_is_null(fl_json_get(type, "args")) ? "cmd" : "args");
	job->cmd = fl_job_words_of(cmd);
	job->entrypoint = fl_job_words_of(fl_json_get(type, "entrypoint"));
	job->host_network = fl_json_bool(fl_json_get(type, "host_network"), false);
	job->memory_bytes = fl_process_limit(type, "memory");
	job->cpu_millis = (int)fl_process_limit(type, "cpu");
	made = job;
	job = NULL;
out:
	fl_job_free(job);
	return made;
}
