#include "host/container.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/job.h"
#include "host/resolvers.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/clock.h"
#include "libflynn/err.h"
#include "libflynn/json.h"
#include "libflynn/map.h"
#include "libflynn/xmalloc.h"

#define ENDED_SUFFIX "-ended"
#define NAME_DIGITS 12

/* Enough for a build that runs make -j, far below what would hurt the machine. */
#define PIDS_OF_AN_APP 4096
/* The kernel takes an app before a part of the platform, and needs no privilege to be told so. */
#define OOM_SCORE_OF_AN_APP 300
#define LOG_FILE_SIZE "10m"
#define LOG_FILES "2"
#define NANO_CPUS_PER_MILLI 1000000

/*
 * What is left to a container: images start as root, hand their volume to a user, and become that user; none
 * makes devices, raw packets or other people's namespaces.
 */
static const char *const capabilities[] = {
	"CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "NET_BIND_SERVICE", "SETGID", "SETUID"
};

static const char *
id_digits(const struct job *j)
{
	const char *dash = strchr(job_id(j), '-');

	return dash != NULL ? dash + 1 : job_id(j);
}

/* ---- names ---- */

char *
container_name(const struct job *j)
{
	const char *app = fl_map_get(job_spec(j)->metadata, FL_JOB_META_APP_NAME);
	const char *digits = id_digits(j);
	struct fl_buf name = { 0 };

	fl_buf_addstr(&name, "flynn-");
	if (app != NULL)
		fl_buf_addf(&name, "%s-", app);
	if (job_what(j) != job_id(j))
		fl_buf_addf(&name, "%s-", job_what(j));
	fl_buf_add(&name, digits, strnlen(digits, NAME_DIGITS));
	for (char *p = name.data; *p != '\0'; p++)
		if (!isalnum((unsigned char)*p) && strchr("-_.", *p) == NULL)
			*p = '_';
	return fl_buf_detach(&name);
}

char *
container_ended_name(const struct job *j)
{
	char *name = container_name(j), *ended = fl_xasprintf("%s" ENDED_SUFFIX, name);

	free(name);
	return ended;
}

bool
container_name_is_ended(const char *name)
{
	size_t len = strlen(name), suffix = strlen(ENDED_SUFFIX);

	return len > suffix && strcmp(name + len - suffix, ENDED_SUFFIX) == 0;
}

char *
container_volume_name(const struct host *h, const char *name)
{
	return fl_xasprintf("flynn-%s-%s", h->id, name);
}

/* ---- environment ---- */

static void
write_var(struct fl_jsonw *w, const char *name, const char *value)
{
	char *pair = fl_xasprintf("%s=%s", name, value);

	fl_jsonw_str(w, NULL, pair);
	free(pair);
}

static void
set_ports(struct fl_map *env, const struct job *j)
{
	for (size_t i = 0; i < job_spec(j)->n_ports; i++) {
		char name[32], *value = fl_xasprintf("%d", j->active->ports[i]);

		snprintf(name, sizeof(name), "PORT_%zu", i);
		if (i == 0)
			free(fl_map_set(env, "PORT", fl_xstrdup(value)));
		free(fl_map_set(env, name, value));
	}
}

/* What the job asked for, and on top of it what is true here. */
static void
write_env(struct fl_jsonw *w, const struct job *j)
{
	const struct host *h = j->host;
	const char *ip = h->cfg->external_ip;
	struct fl_map *env = fl_map_new();

	FL_MAP_EACH(job_spec(j)->env, e)
		fl_map_set(env, fl_map_key(e), fl_xstrdup(fl_map_value(e)));
	set_ports(env, j);
	free(fl_map_set(env, "EXTERNAL_IP", fl_xstrdup(ip)));
	free(fl_map_set(env, "DISCOVERD", fl_xasprintf("%s:1111", ip)));
	free(fl_map_set(env, "FLYNN_JOB_ID", fl_xstrdup(job_id(j))));
	free(fl_map_set(env, "FLYNN_HOST_ID", fl_xstrdup(h->id)));
	if (job_spec(j)->system)
		free(fl_map_set(env, "CLUSTER_KEY", fl_xstrdup(h->key)));
	/* etcd listens on the machine's loopback alone: no container with a network of its own can reach it. */
	if (job_spec(j)->system && job_spec(j)->host_network)
		free(fl_map_set(env, "ETCD", fl_xstrdup("http://127.0.0.1:2379")));
	fl_jsonw_open(w, "Env", '[');
	FL_MAP_EACH(env, e)
		write_var(w, fl_map_key(e), fl_map_value(e));
	fl_jsonw_close(w, ']');
	fl_map_free_with(env, free);
}

/* ---- the body ---- */

static void
write_labels(struct fl_jsonw *w, const struct job *j)
{
	struct fl_buf text = { 0 };

	fl_jsonw_open(w, "Labels", '{');
	fl_jsonw_str(w, HOST_LABEL, j->host->id);
	fl_jsonw_str(w, HOST_LABEL_JOB, job_id(j));
	fl_job_write(job_spec(j), &text);
	fl_jsonw_str(w, HOST_LABEL_SPEC, fl_buf_cstr(&text));
	fl_buf_clear(&text);
	for (size_t i = 0; i < job_spec(j)->n_ports; i++)
		fl_buf_addf(&text, "%s%d", i > 0 ? "," : "", j->active->ports[i]);
	fl_jsonw_str(w, HOST_LABEL_PORTS, fl_buf_cstr(&text));
	fl_jsonw_close(w, '}');
	fl_buf_release(&text);
}

static void
port_key(const struct job *j, size_t i, char key[32])
{
	snprintf(key, 32, "%d/%s", j->active->ports[i], job_spec(j)->ports[i].proto);
}

static void
write_exposed(struct fl_jsonw *w, const struct job *j)
{
	char key[32];

	fl_jsonw_open(w, "ExposedPorts", '{');
	for (size_t i = 0; i < job_spec(j)->n_ports; i++) {
		port_key(j, i, key);
		fl_jsonw_open(w, key, '{');
		fl_jsonw_close(w, '}');
	}
	fl_jsonw_close(w, '}');
}

static void
write_bindings(struct fl_jsonw *w, const struct job *j)
{
	char key[32], number[16];

	fl_jsonw_open(w, "PortBindings", '{');
	for (size_t i = 0; i < job_spec(j)->n_ports; i++) {
		port_key(j, i, key);
		snprintf(number, sizeof(number), "%d", j->active->ports[i]);
		fl_jsonw_open(w, key, '[');
		fl_jsonw_open(w, NULL, '{');
		fl_jsonw_str_oe(w, "HostIp", j->host->cfg->bind_ip);
		fl_jsonw_str(w, "HostPort", number);
		fl_jsonw_close(w, '}');
		fl_jsonw_close(w, ']');
	}
	fl_jsonw_close(w, '}');
}

/* The kernel must not give a connection that the job makes, as to fetch its slug, the port that it will listen on. */
static void
write_reserved(struct fl_jsonw *w, const struct job *j)
{
	struct fl_buf ports = { 0 };
	char key[32];

	if (job_spec(j)->n_ports == 0)
		return;
	for (size_t i = 0; i < job_spec(j)->n_ports; i++) {
		port_key(j, i, key);
		fl_buf_addf(&ports, "%s%.*s", i > 0 ? "," : "", (int)strcspn(key, "/"), key);
	}
	fl_jsonw_open(w, "Sysctls", '{');
	fl_jsonw_str(w, "net.ipv4.ip_local_reserved_ports", fl_buf_cstr(&ports));
	fl_jsonw_close(w, '}');
	fl_buf_release(&ports);
}

/* Layer 0 must not ask discoverd for names: it comes before it. */
static void
write_dns(struct fl_jsonw *w, const struct job *j)
{
	if (j->manifest_id != NULL || j->host->bridge_ip == NULL)
		return;
	fl_jsonw_open(w, "Dns", '[');
	fl_jsonw_str(w, NULL, j->host->bridge_ip);
	resolvers_write(w);
	fl_jsonw_close(w, ']');
	fl_jsonw_open(w, "DnsOptions", '[');
	fl_jsonw_str(w, NULL, "timeout:1");
	fl_jsonw_str(w, NULL, "attempts:3");
	fl_jsonw_close(w, ']');
}

static void
write_volumes(struct fl_jsonw *w, const struct job *j)
{
	fl_jsonw_open(w, "Binds", '[');
	for (size_t i = 0; i < job_spec(j)->n_volumes; i++) {
		const struct fl_job_volume *v = &job_spec(j)->volumes[i];
		char *name = container_volume_name(j->host, v->name), *bind = fl_xasprintf("%s:%s", name, v->target);

		fl_jsonw_str(w, NULL, bind);
		free(name);
		free(bind);
	}
	fl_jsonw_close(w, ']');
}

static void
write_limits(struct fl_jsonw *w, const struct job *j)
{
	const struct fl_job *spec = job_spec(j);

	if (spec->memory_bytes > 0) {
		fl_jsonw_int(w, "Memory", spec->memory_bytes);
		/* The sum of memory and swap: a limit that swap softens is none. */
		fl_jsonw_int(w, "MemorySwap", spec->memory_bytes);
	}
	if (spec->cpu_millis > 0)
		fl_jsonw_int(w, "NanoCpus", (int64_t)spec->cpu_millis * NANO_CPUS_PER_MILLI);
	if (!spec->system) {
		fl_jsonw_int(w, "PidsLimit", PIDS_OF_AN_APP);
		fl_jsonw_int(w, "OomScoreAdj", OOM_SCORE_OF_AN_APP);
	}
}

static void
write_confinement(struct fl_jsonw *w, const struct job *j)
{
	fl_jsonw_open(w, "CapDrop", '[');
	fl_jsonw_str(w, NULL, "ALL");
	fl_jsonw_close(w, ']');
	fl_jsonw_open(w, "CapAdd", '[');
	for (size_t i = 0; i < fl_nitems(capabilities); i++)
		fl_jsonw_str(w, NULL, capabilities[i]);
	fl_jsonw_close(w, ']');
	/* Parts of the platform that listen below 1024 without being root get that by their file's capability. */
	if (job_spec(j)->system)
		return;
	fl_jsonw_open(w, "SecurityOpt", '[');
	fl_jsonw_str(w, NULL, "no-new-privileges");
	fl_jsonw_close(w, ']');
}

static void
write_log_config(struct fl_jsonw *w)
{
	fl_jsonw_open(w, "LogConfig", '{');
	fl_jsonw_str(w, "Type", "json-file");
	fl_jsonw_open(w, "Config", '{');
	fl_jsonw_str(w, "max-size", LOG_FILE_SIZE);
	fl_jsonw_str(w, "max-file", LOG_FILES);
	fl_jsonw_close(w, '}');
	fl_jsonw_close(w, '}');
}

static void
write_host_config(struct fl_jsonw *w, const struct job *j)
{
	fl_jsonw_open(w, "HostConfig", '{');
	if (job_spec(j)->host_network) {
		fl_jsonw_str(w, "NetworkMode", "host");
	} else {
		write_bindings(w, j);
		write_reserved(w, j);
	}
	fl_jsonw_bool(w, "Init", true);
	fl_jsonw_open(w, "RestartPolicy", '{');
	fl_jsonw_str(w, "Name", "no"); /* that is ours to do */
	fl_jsonw_close(w, '}');
	write_dns(w, j);
	write_volumes(w, j);
	write_limits(w, j);
	write_confinement(w, j);
	write_log_config(w);
	fl_jsonw_close(w, '}');
}

void
container_write(const struct job *j, const char *image, struct fl_buf *out)
{
	const struct fl_job *spec = job_spec(j);
	struct fl_jsonw w = fl_jsonw(out);
	char *digits = fl_xstrndup(id_digits(j), NAME_DIGITS);

	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_str(&w, "Image", image);
	fl_jsonw_words(&w, "Entrypoint", spec->entrypoint);
	fl_jsonw_words(&w, "Cmd", spec->cmd);
	write_env(&w, j);
	write_labels(&w, j);
	fl_jsonw_str_oe(&w, "WorkingDir", spec->working_dir);
	if (!spec->host_network) {
		fl_jsonw_str(&w, "Hostname", digits);
		write_exposed(&w, j);
	}
	fl_jsonw_bool(&w, "Tty", spec->tty);
	fl_jsonw_bool(&w, "OpenStdin", spec->stdin_open);
	fl_jsonw_bool(&w, "StdinOnce", spec->stdin_open);
	fl_jsonw_bool(&w, "AttachStdin", spec->stdin_open);
	fl_jsonw_bool(&w, "AttachStdout", true);
	fl_jsonw_bool(&w, "AttachStderr", true);
	fl_jsonw_int(&w, "StopTimeout", spec->stop_timeout_s);
	write_host_config(&w, j);
	fl_jsonw_close(&w, '}');
	free(digits);
}

/* ---- inspection ---- */

static int64_t
parse_time(const struct fl_json *v)
{
	int64_t us = 0;

	if (fl_clock_parse(fl_json_str(v, ""), &us) == -1 || us < 0)
		return 0; /* the year 1: never */
	return us;
}

static const char *
find_ip(const struct fl_json *settings)
{
	const struct fl_json *networks = fl_json_get(settings, "Networks");
	const char *ip = fl_json_text(settings, "IPAddress");

	/* The top-level address is deprecated and gone from the newest engines. */
	for (size_t i = 0; i < fl_json_len(networks) && *ip == '\0'; i++)
		ip = fl_json_text(fl_json_at(networks, i), "IPAddress");
	return *ip != '\0' ? ip : NULL;
}

int
container_parse(const struct fl_json *v, struct container_info *info, struct fl_err *err)
{
	const struct fl_json *state = fl_json_get(v, "State");
	const char *id = fl_json_str(fl_json_get(v, "Id"), NULL);

	if (id == NULL || fl_json_type(state) != FL_JSON_OBJECT)
		return fl_err_set(err, FL_ERR_SYSTEM, "the engine describes a container without Id or State");
	*info = (struct container_info){
		.id = fl_xstrdup(id),
		.ip = fl_xstrdup_null(find_ip(fl_json_get(v, "NetworkSettings"))),
		.image = fl_xstrdup_null(fl_json_str(fl_json_get(v, "Image"), NULL)),
		.running = fl_json_bool(fl_json_get(state, "Running"), false),
		.oom_killed = fl_json_bool(fl_json_get(state, "OOMKilled"), false),
		.exit_code = (int)fl_json_int(fl_json_get(state, "ExitCode"), 0),
		.started_us = parse_time(fl_json_get(state, "StartedAt")),
		.finished_us = parse_time(fl_json_get(state, "FinishedAt")),
	};
	return 0;
}

void
container_info_release(struct container_info *info)
{
	free(info->id);
	free(info->ip);
	free(info->image);
	free(info->image_arch);
	*info = (struct container_info){ 0 };
}
