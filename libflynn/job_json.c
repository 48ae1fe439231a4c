/*
 * job_json - jobs as JSON, see job.h. The writer leaves out what has its default.
 */
#include "libflynn/job.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/job_json.h"
#include "libflynn/json.h"
#include "libflynn/map.h"
#include "libflynn/xmalloc.h"

enum {
	PORTS_MAX = 64,
	VOLUMES_MAX = 32,
	NAME_MAX_LEN = 200, /* of a volume; the engine's end at 255 */
	SERVICE_MAX_LEN = 128,
	TIMEOUT_MAX_S = 24 * 3600,
	STATUS_MAX = 599,
	CPU_MAX_MILLIS = 1000000,
};

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

static bool
is_name(const char *s, size_t max_len)
{
	size_t len = strspn(s, LOWER DIGITS "_.-");

	return len > 0 && len <= max_len && s[len] == '\0' && strchr("_.-", *s) == NULL;
}

static bool
is_env_name(const char *s)
{
	return *s != '\0' && strchr(DIGITS, *s) == NULL && s[strspn(s, LOWER UPPER DIGITS "_")] == '\0';
}

/* Absolute and without "..", so that it stays inside the container's tree. */
static bool
is_target(const char *s)
{
	if (*s != '/')
		return false;
	while (*s != '\0') {
		size_t len = strcspn(++s, "/");

		if (len == 2 && s[0] == '.' && s[1] == '.')
			return false;
		s += len;
	}
	return true;
}

static int
member_int(const struct fl_json *obj, const char *key, int max, int *out, struct fl_err *err)
{
	int64_t n = *out;

	if (fl_json_member_int(obj, key, 0, max, &n, err) == -1)
		return -1;
	*out = (int)n;
	return 0;
}

/* A string member as a copy in place of *out. */
static int
member_dup(const struct fl_json *obj, const char *key, char **out, struct fl_err *err)
{
	const char *s = NULL;

	if (fl_json_member_str(obj, key, &s, err) == -1)
		return -1;
	if (s == NULL)
		return 0;
	free(*out);
	*out = fl_xstrdup(s);
	return 0;
}

/* An object of strings into a map of strings. */
static int
read_map(const struct fl_json *obj, const char *key, struct fl_map *m, struct fl_err *err)
{
	const struct fl_json *members = NULL;

	if (fl_json_member_obj(obj, key, &members, err) == -1)
		return -1;
	for (size_t i = 0; i < fl_json_len(members); i++) {
		const char *name = fl_json_key_at(members, i);
		const char *value = fl_json_str(fl_json_at(members, i), NULL);

		if (value == NULL)
			return fl_err_set(err, FL_ERR_INVALID, "\"%s\": \"%.64s\" must be a string", key, name);
		free(fl_map_set(m, name, fl_xstrdup(value)));
	}
	return 0;
}

static int
read_env(const struct fl_json *config, struct fl_map *env, struct fl_err *err)
{
	if (read_map(config, "env", env, err) == -1)
		return -1;
	FL_MAP_EACH (env, e)
		if (!is_env_name(fl_map_key(e)))
			return fl_err_set(err, FL_ERR_INVALID, "\"%.64s\" is no name for an environment variable", fl_map_key(e));
	return 0;
}

static int
read_words(const struct fl_json *config, const char *key, char ***out, struct fl_err *err)
{
	const struct fl_json *items = NULL;
	size_t n;

	if (fl_json_member_arr(config, key, &items, err) == -1)
		return -1;
	if ((n = fl_json_len(items)) == 0)
		return 0;
	*out = fl_xcalloc(n + 1, sizeof(**out));
	for (size_t i = 0; i < n; i++) {
		const char *word = fl_json_str(fl_json_at(items, i), NULL);

		if (word == NULL)
			return fl_err_set(err, FL_ERR_INVALID, "\"%s\" must hold strings only", key);
		(*out)[i] = fl_xstrdup(word);
	}
	return 0;
}

static int
read_check(const struct fl_json *service, struct fl_job_port *p, struct fl_err *err)
{
	const struct fl_json *check = NULL;
	bool is_udp = strcmp(p->proto, "udp") == 0;

	if (fl_json_member_obj(service, "check", &check, err) == -1)
		return -1;
	if (is_udp) { /* nothing to connect to */
		free(p->check);
		p->check = fl_xstrdup("none");
	}
	if (member_dup(check, "type", &p->check, err) == -1 ||
	    member_dup(check, "path", &p->check_path, err) == -1 ||
	    member_int(check, "status", STATUS_MAX, &p->check_status, err) == -1 ||
	    member_int(check, "timeout_s", TIMEOUT_MAX_S, &p->timeout_s, err) == -1)
		return -1;
	if (strcmp(p->check, "none") != 0 && (is_udp || (strcmp(p->check, "tcp") != 0 && strcmp(p->check, "http") != 0)))
		return fl_err_set(err, FL_ERR_INVALID, "a %s port cannot be checked by \"%.32s\"", p->proto, p->check);
	if (p->check_path != NULL && (*p->check_path != '/' || p->check_path[strcspn(p->check_path, " \r\n\t")] != '\0'))
		return fl_err_set(err, FL_ERR_INVALID, "a check's path must start with / and have no whitespace");
	return 0;
}

static int
read_service(const struct fl_json *port, struct fl_job_port *p, struct fl_err *err)
{
	const struct fl_json *service = NULL;

	if (fl_json_member_obj(port, "service", &service, err) == -1)
		return -1;
	if (service == NULL)
		return 0;
	if (member_dup(service, "name", &p->service, err) == -1)
		return -1;
	if (p->service == NULL || !is_name(p->service, SERVICE_MAX_LEN))
		return fl_err_set(err, FL_ERR_INVALID, "a port's service needs a name of a-z, 0-9, \"_\", \".\" and \"-\"");
	return read_check(service, p, err);
}

static int
read_port(const struct fl_json *v, struct fl_job *j, struct fl_err *err)
{
	struct fl_job_port *p = fl_job_add_port(j, 0);

	if (fl_json_type(v) != FL_JSON_OBJECT)
		return fl_err_set(err, FL_ERR_INVALID, "\"ports\" must hold objects only");
	if (member_int(v, "port", 65535, &p->port, err) == -1 || member_dup(v, "proto", &p->proto, err) == -1)
		return -1;
	if (strcmp(p->proto, "tcp") != 0 && strcmp(p->proto, "udp") != 0)
		return fl_err_set(err, FL_ERR_INVALID, "\"proto\" must be \"tcp\" or \"udp\"");
	for (size_t i = 0; i + 1 < j->n_ports; i++)
		if (p->port != 0 && j->ports[i].port == p->port && strcmp(j->ports[i].proto, p->proto) == 0)
			return fl_err_set(err, FL_ERR_INVALID, "port %d is asked for twice", p->port);
	return read_service(v, p, err);
}

static int
read_ports(const struct fl_json *config, struct fl_job *j, struct fl_err *err)
{
	const struct fl_json *ports = NULL;

	if (fl_json_member_arr(config, "ports", &ports, err) == -1)
		return -1;
	if (fl_json_len(ports) > PORTS_MAX)
		return fl_err_set(err, FL_ERR_INVALID, "more than %d ports", PORTS_MAX);
	for (size_t i = 0; i < fl_json_len(ports); i++)
		if (read_port(fl_json_at(ports, i), j, err) == -1)
			return -1;
	return 0;
}

static int
read_volume(const struct fl_json *v, struct fl_job *j, struct fl_err *err)
{
	const char *name = "", *target = "";

	if (fl_json_member_str(v, "name", &name, err) == -1 || fl_json_member_str(v, "target", &target, err) == -1)
		return -1;
	if (!is_name(name, NAME_MAX_LEN))
		return fl_err_set(err, FL_ERR_INVALID, "\"%.64s\" is no name for a volume", name);
	if (!is_target(target))
		return fl_err_set(err, FL_ERR_INVALID, "volume %s: \"%.64s\" is not an absolute path without \"..\"", name, target);
	for (size_t i = 0; i < j->n_volumes; i++)
		if (strcmp(j->volumes[i].target, target) == 0)
			return fl_err_set(err, FL_ERR_INVALID, "two volumes at %.64s", target);
	fl_job_add_volume(j, name, target);
	return 0;
}

static int
read_volumes(const struct fl_json *config, struct fl_job *j, struct fl_err *err)
{
	const struct fl_json *volumes = NULL;

	if (fl_json_member_arr(config, "volumes", &volumes, err) == -1)
		return -1;
	if (fl_json_len(volumes) > VOLUMES_MAX)
		return fl_err_set(err, FL_ERR_INVALID, "more than %d volumes", VOLUMES_MAX);
	for (size_t i = 0; i < fl_json_len(volumes); i++)
		if (read_volume(fl_json_at(volumes, i), j, err) == -1)
			return -1;
	return 0;
}

static int
read_config(const struct fl_json *job, struct fl_job *j, struct fl_err *err)
{
	const struct fl_json *config = NULL;

	if (fl_json_member_obj(job, "config", &config, err) == -1 ||
	    read_words(config, "entrypoint", &j->entrypoint, err) == -1 ||
	    read_words(config, "cmd", &j->cmd, err) == -1 ||
	    read_env(config, j->env, err) == -1 ||
	    fl_json_member_bool(config, "tty", &j->tty, err) == -1 ||
	    fl_json_member_bool(config, "stdin", &j->stdin_open, err) == -1 ||
	    fl_json_member_bool(config, "host_network", &j->host_network, err) == -1 ||
	    fl_json_member_bool(config, "stop_on_detach", &j->stop_on_detach, err) == -1 ||
	    member_int(config, "stop_timeout_s", TIMEOUT_MAX_S, &j->stop_timeout_s, err) == -1 ||
	    member_dup(config, "working_dir", &j->working_dir, err) == -1)
		return -1;
	if (j->working_dir != NULL && *j->working_dir != '\0' && !is_target(j->working_dir))
		return fl_err_set(err, FL_ERR_INVALID, "\"working_dir\" must be an absolute path without \"..\"");
	if (read_ports(config, j, err) == -1)
		return -1;
	return read_volumes(config, j, err);
}

static int
read_artifact(const struct fl_json *job, struct fl_job *j, struct fl_err *err)
{
	const struct fl_json *artifact = NULL;

	if (fl_json_member_obj(job, "artifact", &artifact, err) == -1 ||
	    member_dup(artifact, "type", &j->artifact_type, err) == -1 ||
	    member_dup(artifact, "uri", &j->artifact_uri, err) == -1)
		return -1;
	if (j->artifact_uri == NULL || *j->artifact_uri == '\0')
		return fl_err_set(err, FL_ERR_INVALID, "a job needs an artifact with a \"uri\"");
	if (j->artifact_type == NULL)
		j->artifact_type = fl_xstrdup("docker");
	if (strcmp(j->artifact_type, "docker") != 0)
		return fl_err_set(err, FL_ERR_INVALID, "artifact type \"%.32s\" is unknown", j->artifact_type);
	return 0;
}

static int
read_job(const struct fl_json *v, struct fl_job *j, struct fl_err *err)
{
	const struct fl_json *resources = NULL;

	if (fl_json_type(v) != FL_JSON_OBJECT)
		return fl_err_set(err, FL_ERR_INVALID, "a job must be an object");
	if (member_dup(v, "id", &j->id, err) == -1)
		return -1;
	if (j->id == NULL || !fl_job_is_id(j->id))
		return fl_err_set(err, FL_ERR_INVALID, "a job needs an \"id\" of the form <host>-<32 hex digits>");
	if (read_map(v, "metadata", j->metadata, err) == -1 ||
	    read_artifact(v, j, err) == -1 ||
	    fl_json_member_bool(v, "system", &j->system, err) == -1 ||
	    fl_json_member_obj(v, "resources", &resources, err) == -1 ||
	    fl_json_member_int(resources, "memory", 0, INT64_MAX, &j->memory_bytes, err) == -1 ||
	    member_int(resources, "cpu", CPU_MAX_MILLIS, &j->cpu_millis, err) == -1)
		return -1;
	return read_config(v, j, err);
}

struct fl_job *
fl_job_parse(const struct fl_json *v, struct fl_err *err)
{
	struct fl_job *j = fl_job_new();

	if (read_job(v, j, err) == -1) {
		fl_job_free(j);
		return NULL;
	}
	return j;
}

static void
write_map(struct fl_jsonw *w, const char *key, const struct fl_map *m)
{
	if (fl_map_count(m) == 0)
		return;
	fl_jsonw_open(w, key, '{');
	FL_MAP_EACH (m, e)
		fl_jsonw_str(w, fl_map_key(e), fl_map_value(e));
	fl_jsonw_close(w, '}');
}

static void
write_flag(struct fl_jsonw *w, const char *key, bool set)
{
	if (set)
		fl_jsonw_bool(w, key, true);
}

static void
write_port(struct fl_jsonw *w, const struct fl_job_port *p)
{
	fl_jsonw_open(w, NULL, '{');
	fl_jsonw_int(w, "port", p->port);
	fl_jsonw_str(w, "proto", p->proto);
	if (p->service != NULL) {
		fl_jsonw_open(w, "service", '{');
		fl_jsonw_str(w, "name", p->service);
		fl_jsonw_open(w, "check", '{');
		fl_jsonw_str(w, "type", p->check);
		fl_jsonw_str_oe(w, "path", p->check_path);
		if (p->check_status != 0)
			fl_jsonw_int(w, "status", p->check_status);
		fl_jsonw_int(w, "timeout_s", p->timeout_s);
		fl_jsonw_close(w, '}');
		fl_jsonw_close(w, '}');
	}
	fl_jsonw_close(w, '}');
}

static void
write_ports(struct fl_jsonw *w, const struct fl_job *j)
{
	if (j->n_ports == 0)
		return;
	fl_jsonw_open(w, "ports", '[');
	for (size_t i = 0; i < j->n_ports; i++)
		write_port(w, &j->ports[i]);
	fl_jsonw_close(w, ']');
}

static void
write_volumes(struct fl_jsonw *w, const struct fl_job *j)
{
	if (j->n_volumes == 0)
		return;
	fl_jsonw_open(w, "volumes", '[');
	for (size_t i = 0; i < j->n_volumes; i++) {
		fl_jsonw_open(w, NULL, '{');
		fl_jsonw_str(w, "name", j->volumes[i].name);
		fl_jsonw_str(w, "target", j->volumes[i].target);
		fl_jsonw_close(w, '}');
	}
	fl_jsonw_close(w, ']');
}

static void
write_config(struct fl_jsonw *w, const struct fl_job *j)
{
	fl_jsonw_open(w, "config", '{');
	fl_jsonw_words(w, "entrypoint", j->entrypoint);
	fl_jsonw_words(w, "cmd", j->cmd);
	write_map(w, "env", j->env);
	write_flag(w, "tty", j->tty);
	write_flag(w, "stdin", j->stdin_open);
	fl_jsonw_str_oe(w, "working_dir", j->working_dir);
	write_flag(w, "host_network", j->host_network);
	write_flag(w, "stop_on_detach", j->stop_on_detach);
	fl_jsonw_int(w, "stop_timeout_s", j->stop_timeout_s);
	write_ports(w, j);
	write_volumes(w, j);
	fl_jsonw_close(w, '}');
}

void
fl_job_write(const struct fl_job *j, struct fl_buf *b)
{
	struct fl_jsonw w = fl_jsonw(b);

	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_str(&w, "id", j->id);
	write_map(&w, "metadata", j->metadata);
	fl_jsonw_open(&w, "artifact", '{');
	fl_jsonw_str(&w, "type", j->artifact_type != NULL ? j->artifact_type : "docker");
	fl_jsonw_str(&w, "uri", j->artifact_uri);
	fl_jsonw_close(&w, '}');
	if (j->memory_bytes > 0 || j->cpu_millis > 0) {
		fl_jsonw_open(&w, "resources", '{');
		fl_jsonw_int(&w, "memory", j->memory_bytes);
		fl_jsonw_int(&w, "cpu", j->cpu_millis);
		fl_jsonw_close(&w, '}');
	}
	write_flag(&w, "system", j->system);
	write_config(&w, j);
	fl_jsonw_close(&w, '}');
}
