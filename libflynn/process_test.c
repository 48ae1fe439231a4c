#include "libflynn/process.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/job.h"
#include "libflynn/json.h"
#include "libflynn/map.h"
#include "libflynn/xmalloc.h"

#define APP "{\"id\":\"a1\",\"name\":\"example\",\"meta\":{}}"
#define ARTIFACT "{\"type\":\"docker\",\"uri\":\"docker://x\"}"

/* The job of the type "t" that type describes, of a release with the environment env. */
static struct fl_job *
job_of(const char *app_text, const char *env, const char *type, struct fl_err *err)
{
	char *text = fl_xasprintf("{\"id\":\"r1\",\"env\":%s,\"processes\":{\"t\":%s}}", env, type);
	struct fl_json *app = fl_json_parse(app_text, strlen(app_text), NULL), *release = fl_json_parse(text, strlen(text), NULL);
	struct fl_json *artifact = fl_json_parse(ARTIFACT, strlen(ARTIFACT), NULL);
	struct fl_job *job;

	assert_non_null(release);
	job = fl_process_job(app, release, artifact, "t", "host0", err);
	fl_json_free(app);
	fl_json_free(release);
	fl_json_free(artifact);
	free(text);
	return job;
}

static void
a_job_says_whose_it_is(FL_UNUSED void **state)
{
	static const char *const meta[][2] = {
		{ FL_JOB_META_APP, "a1" }, { FL_JOB_META_APP_NAME, "example" }, { FL_JOB_META_RELEASE, "r1" }, { FL_JOB_META_TYPE, "t" }
	};
	static const char *const env[][2] = {
		{ "FLYNN_APP_ID", "a1" }, { "FLYNN_APP_NAME", "example" }, { "FLYNN_RELEASE_ID", "r1" }, { "FLYNN_PROCESS_TYPE", "t" },
		{ "OF_RELEASE", "1" }, { "OF_TYPE", "2" }, { "BOTH", "type's" }
	};
	struct fl_job *job = job_of(APP, "{\"OF_RELEASE\":\"1\",\"BOTH\":\"release's\",\"FLYNN_APP_ID\":\"forged\"}",
	    "{\"env\":{\"OF_TYPE\":\"2\",\"BOTH\":\"type's\"}}", NULL);
	char *host = fl_job_id_host(job->id);

	assert_string_equal(host, "host0");
	for (size_t i = 0; i < fl_nitems(meta); i++)
		assert_string_equal(fl_map_get(job->metadata, meta[i][0]), meta[i][1]);
	for (size_t i = 0; i < fl_nitems(env); i++)
		assert_string_equal(fl_map_get(job->env, env[i][0]), env[i][1]);
	assert_int_equal(fl_map_count(job->env), fl_nitems(env));
	assert_string_equal(job->artifact_type, "docker");
	assert_string_equal(job->artifact_uri, "docker://x");
	assert_false(job->system);
	free(host);
	fl_job_free(job);
}

/* "port/proto:service(check path status timeout)" of each port; status only where one is named. */
static char *
ports_of(const struct fl_job *job)
{
	struct fl_buf b = { 0 };

	for (size_t i = 0; i < job->n_ports; i++) {
		const struct fl_job_port *p = &job->ports[i];

		fl_buf_addf(&b, "%s%d/%s", i > 0 ? " " : "", p->port, p->proto);
		if (p->service != NULL)
			fl_buf_addf(&b, ":%s(%s %s %.0d%s%d)", p->service, p->check, p->check_path != NULL ? p->check_path : "-",
			    p->check_status, p->check_status != 0 ? " " : "", p->timeout_s);
	}
	return fl_buf_detach(&b);
}

static void
ports_are_read_in_every_spelling(FL_UNUSED void **state)
{
	static const struct {
		const char *type, *want;
	} cases[] = {
		{ "{}", "" },
		{ "{\"ports\":[]}", "" },
		{ "{\"ports\":[{}]}", "0/tcp" },
		{ "{\"ports\":[{\"port\":0,\"proto\":\"\"},{\"port\":53,\"proto\":\"udp\"}]}", "0/tcp 53/udp" },
		{ "{\"ports\":[{\"port\":80,\"service\":\"x\"}]}", "80/tcp:x(tcp - 30)" },
		{ "{\"ports\":[{\"service\":{\"name\":\"x\",\"check\":{\"type\":\"http\",\"path\":\"/p\",\"timeout_s\":5}}}]}", "0/tcp:x(http /p 5)" },
		{ "{\"ports\":[{\"service\":{\"name\":\"x\",\"check\":{\"type\":\"http\",\"status\":204}}}]}", "0/tcp:x(http - 204 30)" },
		{ "{\"ports\":[{\"service\":{\"name\":\"\"}}]}", "0/tcp" },
		{ "{\"ports\":[{},{}],\"service\":\"x\"}", "0/tcp:x(tcp - 30) 0/tcp" },
		{ "{\"ports\":[{}],\"env\":{\"SD_NAME\":\"x\"}}", "0/tcp:x(tcp - 30)" },
		{ "{\"ports\":[{\"service\":\"own\"}],\"env\":{\"SD_NAME\":\"x\"}}", "0/tcp:own(tcp - 30)" },
		{ "{\"ports\":{\"tcp\":2,\"udp\":0},\"env\":{\"SD_NAME\":\"x\"}}", "0/tcp:x(tcp - 30) 0/tcp" },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct fl_job *job = job_of(APP, "{}", cases[i].type, NULL);
		char *ports;

		assert_non_null(job);
		ports = ports_of(job);
		assert_string_equal(ports, cases[i].want);
		assert_null(fl_map_get(job->env, "SD_NAME"));
		free(ports);
		fl_job_free(job);
	}
}

static void
commands_limits_and_flags_are_taken_over(FL_UNUSED void **state)
{
	struct fl_job *job = job_of(APP, "{}",
	    "{\"cmd\":[\"start\",\"web\"],\"entrypoint\":[\"/bin/x\"],\"host_network\":true,"
	    "\"resources\":{\"memory\":1048576,\"cpu\":500}}", NULL);

	assert_string_equal(job->cmd[0], "start");
	assert_string_equal(job->cmd[1], "web");
	assert_null(job->cmd[2]);
	assert_string_equal(job->entrypoint[0], "/bin/x");
	assert_true(job->host_network);
	assert_int_equal(job->memory_bytes, 1048576);
	assert_int_equal(job->cpu_millis, 500);
	fl_job_free(job);
	job = job_of(APP, "{}", "{\"args\":[\"later\"],\"cmd\":[\"earlier\"]}", NULL);
	assert_string_equal(job->cmd[0], "later");
	fl_job_free(job);
	job = job_of(APP, "{}", "{}", NULL);
	assert_null(job->cmd);
	assert_null(job->entrypoint);
	fl_job_free(job);
}

static void
unlike_volumes_have_unlike_names(FL_UNUSED void **state)
{
	static const struct {
		const char *type, *path, *want;
	} cases[] = {
		{ "web", "/data", "a1-web" }, { "Web", "/data", "a1-_57eb" }, { "my_type", "/data", "a1-my_5ftype" },
		{ "web", "/a/b", "a1-web.a.b" }, { "web", "/a.b", "a1-web.a_2eb" }, { "web", "/a_b", "a1-web.a_5fb" }, { "web-a", "/data", "a1-web-a" },
	};
	char *name;

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		name = fl_process_volume_name("a1", false, cases[i].type, cases[i].path, NULL);
		assert_string_equal(name, cases[i].want);
		free(name);
	}
	name = fl_process_volume_name("a1", true, "web", "/x", "own");
	assert_string_equal(name, "own");
	free(name);
}

static void
volumes_belong_to_app_and_type(FL_UNUSED void **state)
{
	struct fl_job *job = job_of(APP, "{}", "{\"data\":true,\"volumes\":[{\"name\":\"n\",\"path\":\"/p\"},{\"path\":\"/q\"}]}", NULL);
	static const char *const want[][2] = { { "a1-t", "/data" }, { "a1-n", "/p" }, { "a1-t.q", "/q" } };

	assert_int_equal(job->n_volumes, fl_nitems(want));
	for (size_t i = 0; i < fl_nitems(want); i++) {
		assert_string_equal(job->volumes[i].name, want[i][0]);
		assert_string_equal(job->volumes[i].target, want[i][1]);
	}
	assert_string_equal(fl_map_get(job->env, FL_PROCESS_VOLUMES), "/data:/p:/q");
	fl_job_free(job);
}

static void
only_the_platforms_apps_get_system_jobs(FL_UNUSED void **state)
{
	static const struct {
		const char *app;
		bool want;
	} cases[] = {
		{ "{\"id\":\"a\",\"meta\":{\"" FL_APP_META_SYSTEM "\":\"true\"}}", true },
		{ "{\"id\":\"a\",\"meta\":{\"" FL_APP_META_SYSTEM "\":\"false\"}}", false },
		{ "{\"id\":\"a\",\"meta\":{\"" FL_APP_META_SYSTEM "\":true}}", false },
		{ "{\"id\":\"a\",\"protected\":true}", false },
		{ "{\"id\":\"a\"}", false },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct fl_job *job = job_of(cases[i].app, "{\"flynn-system-app\":\"true\"}", "{}", NULL);

		assert_int_equal(job->system, cases[i].want);
		fl_job_free(job);
	}
}

static void
wrong_releases_are_refused_with_a_sentence(FL_UNUSED void **state)
{
	static const struct {
		const char *env, *type, *want;
	} cases[] = {
		{ "{}", "null", "the release has no process type \"t\"" },
		{ "{\"A\":1}", "{}", "environment variable A of the release is no string" },
		{ "{}", "{\"env\":{\"B\":[]}}", "environment variable B of the process type is no string" },
		{ "{}", "{\"ports\":[{\"port\":70000}]}", "\"port\" must be a whole number from 0 to 65535" },
		{ "{}", "{\"ports\":[{\"port\":\"80\"}]}", "\"port\" must be a number" },
		{ "{}", "{\"ports\":[{\"proto\":1}]}", "\"proto\" must be a string" },
		{ "{}", "{\"ports\":{\"tcp\":1000}}", "\"tcp\" must be a whole number from 0 to 16" },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct fl_err err = { 0 };

		assert_null(job_of(APP, cases[i].env, cases[i].type, &err));
		assert_int_equal(err.kind, FL_ERR_INVALID);
		assert_string_equal(err.msg, cases[i].want);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_job_says_whose_it_is),
		cmocka_unit_test(ports_are_read_in_every_spelling),
		cmocka_unit_test(commands_limits_and_flags_are_taken_over),
		cmocka_unit_test(unlike_volumes_have_unlike_names),
		cmocka_unit_test(volumes_belong_to_app_and_type),
		cmocka_unit_test(only_the_platforms_apps_get_system_jobs),
		cmocka_unit_test(wrong_releases_are_refused_with_a_sentence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
