/*
 * job - see job.h. What a job is and how it is made; job_json.c reads and writes it.
 */
#include "libflynn/job.h"

#include <stdlib.h>
#include <string.h>

#include "libflynn/job_json.h"
#include "libflynn/json.h"
#include "libflynn/map.h"
#include "libflynn/uuid.h"
#include "libflynn/xmalloc.h"

enum {
	HOST_ID_MAX = 64,
	CHECK_TIMEOUT_S = 30,
	STOP_TIMEOUT_S = 10,
	RESTARTS_MAX = 1000000,
};

struct fl_job *
fl_job_new(void)
{
	struct fl_job *j = fl_xcalloc(1, sizeof(*j));

	j->metadata = fl_map_new();
	j->env = fl_map_new();
	j->stop_timeout_s = STOP_TIMEOUT_S;
	return j;
}

void
fl_job_free(struct fl_job *j)
{
	if (j == NULL)
		return;
	for (size_t i = 0; i < j->n_ports; i++) {
		free(j->ports[i].proto);
		free(j->ports[i].service);
		free(j->ports[i].check);
		free(j->ports[i].check_path);
	}
	for (size_t i = 0; i < j->n_volumes; i++) {
		free(j->volumes[i].name);
		free(j->volumes[i].target);
	}
	free(j->ports);
	free(j->volumes);
	fl_map_free_with(j->metadata, free);
	fl_map_free_with(j->env, free);
	fl_job_words_free(j->entrypoint);
	fl_job_words_free(j->cmd);
	free(j->id);
	free(j->artifact_type);
	free(j->artifact_uri);
	free(j->working_dir);
	free(j);
}

void
fl_job_set_env(struct fl_job *j, const char *name, const char *value)
{
	free(fl_map_set(j->env, name, fl_xstrdup(value)));
}

void
fl_job_set_meta(struct fl_job *j, const char *name, const char *value)
{
	free(fl_map_set(j->metadata, name, fl_xstrdup(value)));
}

void
fl_job_set_id(struct fl_job *j, const char *host_id)
{
	char uuid[FL_UUID_LEN + 1];

	fl_uuid_new(uuid);
	free(j->id);
	j->id = fl_xasprintf("%s-%s", host_id, uuid);
}

bool
fl_job_type_is_once(const char *type)
{
	return *type == '\0' || strcmp(type, FL_JOB_TYPE_RELEASE) == 0;
}

bool
fl_job_is_id(const char *text)
{
	size_t host_len = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.");
	const char *hex = text + host_len + 1;

	return host_len > 0 && host_len <= HOST_ID_MAX && text[host_len] == '-' &&
	    strspn(hex, "0123456789abcdef") == FL_UUID_LEN && hex[FL_UUID_LEN] == '\0';
}

int
fl_job_restarts(const struct fl_job *j)
{
	const char *text = fl_map_get(j->metadata, FL_JOB_META_RESTARTS);
	long n = text != NULL ? strtol(text, NULL, 10) : 0;

	return n > 0 && n <= RESTARTS_MAX ? (int)n : 0;
}

char *
fl_job_id_host(const char *job_id)
{
	return fl_job_is_id(job_id) ? fl_xstrndup(job_id, strcspn(job_id, "-")) : NULL;
}

struct fl_job_port *
fl_job_add_port(struct fl_job *j, int port)
{
	struct fl_job_port *p = NULL;

	j->ports = fl_xreallocarray(j->ports, j->n_ports + 1, sizeof(*j->ports));
	p = &j->ports[j->n_ports++];
	*p = (struct fl_job_port){
		.port = port,
		.proto = fl_xstrdup("tcp"),
		.check = fl_xstrdup("tcp"),
		.timeout_s = CHECK_TIMEOUT_S,
	};
	return p;
}

void
fl_job_add_volume(struct fl_job *j, const char *name, const char *target)
{
	j->volumes = fl_xreallocarray(j->volumes, j->n_volumes + 1, sizeof(*j->volumes));
	j->volumes[j->n_volumes++] = (struct fl_job_volume){ .name = fl_xstrdup(name), .target = fl_xstrdup(target) };
}

char **
fl_job_words(const char *const *words, size_t n)
{
	char **copy = NULL;

	if (n == 0)
		return NULL;
	copy = fl_xcalloc(n + 1, sizeof(*copy));
	for (size_t i = 0; i < n; i++)
		copy[i] = fl_xstrdup(words[i]);
	return copy;
}

char **
fl_job_words_of(const struct fl_json *list)
{
	size_t n = fl_json_len(list);
	char **words = n > 0 ? fl_xcalloc(n + 1, sizeof(*words)) : NULL;

	for (size_t i = 0; i < n; i++)
		words[i] = fl_xstrdup(fl_json_str(fl_json_at(list, i), ""));
	return words;
}

void
fl_job_words_free(char **words)
{
	for (char **w = words; w != NULL && *w != NULL; w++)
		free(*w);
	free(words);
}
