#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <event2/event.h>

#include "host/fixture.h"
#include "host/manifest.h"
#include "host/template.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/job.h"
#include "libflynn/map.h"

static const char *
fake_env(const char *name)
{
	return strcmp(name, "SET") == 0 ? "value" : NULL;
}

static const int ports[] = { 2379, 2380 };
static const struct template_data data = {
	.external_ip = "192.0.2.7", .bridge_ip = "172.17.0.1", .host_id = "h1", .ports = ports, .n_ports = 2, .env = fake_env
};

static void
values_are_put_in(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "", "" },
		{ "plain } } {", "plain } } {" },
		{ "http://{{ .ExternalIP }}:{{.TCPPort 1}}", "http://192.0.2.7:2380" },
		{ "{{ .BridgeIP }}{{ .HostID }}", "172.17.0.1h1" },
		{ "[{{ .Env.SET }}][{{ .Env.UNSET }}]", "[value][]" },
	};

	(void)state;
	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct fl_buf got = { 0 };

		assert_int_equal(template_render(cases[i].text, &data, &got, NULL), 0);
		assert_string_equal(fl_buf_cstr(&got), cases[i].want);
		fl_buf_release(&got);
	}
}

static void
what_is_no_value_is_named(void **state)
{
	static const struct {
		const char *text, *sentence;
	} cases[] = {
		{ "{{ .Nope }}", "{{ .Nope }} is unknown" },
		{ "{{ .TCPPort 2 }}", "there is no TCPPort 2" },
		{ "{{ .TCPPort x }}", "there is no TCPPort x" },
		{ "{{ .TCPPort -1 }}", "there is no TCPPort -1" },
		{ "a {{ b", "{{ without }}" },
		{ "{{ }}", "is unknown" },
	};

	(void)state;
	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct fl_buf got = { 0 };
		struct fl_err err = { 0 };

		assert_int_equal(template_render(cases[i].text, &data, &got, &err), -1);
		assert_non_null(strstr(err.msg, cases[i].sentence));
		fl_buf_release(&got);
	}
}

static struct fl_job *
job_of(const char *entry, struct fl_err *err)
{
	char text[1024];
	struct manifest *m;
	struct fl_job *job;

	snprintf(text, sizeof(text), "[%s]", entry);
	m = manifest_parse(text, strlen(text), err);
	assert_non_null(m);
	assert_int_equal(manifest_count(m), 1);
	job = manifest_job(m, 0, &data, err);
	manifest_free(m);
	return job;
}

static void
an_entry_is_a_job_of_the_platform(void **state)
{
	struct fl_job *job = job_of("{\"id\":\"etcd\",\"args\":[\"--a={{ .TCPPort 0 }}\",\"{{ .Env.UNSET }}\"],\"env\":{\"IP\":\"{{ .ExternalIP }}\"},"
				    "\"tcp_ports\":[\"2379\",\"2380\"],\"check\":{\"type\":\"http\",\"path\":\"/health\"},\"host_network\":true,"
				    "\"volumes\":[{\"name\":\"etcd\",\"target\":\"/data\"}]}",
	    NULL);

	(void)state;
	assert_string_equal(job->artifact_uri, "https://registry.hub.docker.com/flynn/etcd");
	assert_string_equal(job->cmd[0], "--a=2379");
	assert_null(job->cmd[1]);
	assert_string_equal(fl_map_get(job->env, "IP"), "192.0.2.7");
	assert_true(job->system && job->host_network);
	assert_int_equal(job->n_ports, 2);
	assert_string_equal(job->ports[0].service, "etcd");
	assert_string_equal(job->ports[0].check_path, "/health");
	assert_null(job->ports[1].service);
	assert_string_equal(job->volumes[0].target, "/data");
	assert_string_equal(fl_map_get(job->metadata, MANIFEST_META), "etcd");
	fl_job_free(job);
}

static void
what_is_not_checked_is_no_service(void **state)
{
	struct fl_job *job = job_of("{\"id\":\"x\",\"image\":\"docker:///y\",\"image_id\":\"12\",\"tcp_ports\":[\"1\"],\"check\":{\"type\":\"none\"}}", NULL);

	(void)state;
	assert_string_equal(job->artifact_uri, "docker:///y?id=12");
	assert_null(job->ports[0].service);
	fl_job_free(job);
}

static void
a_wrong_entry_is_named(void **state)
{
	static const struct {
		const char *entry, *sentence;
	} cases[] = {
		{ "{\"id\":\"x\",\"tcp_ports\":[80]}", "layer 0, x: tcp_ports must hold strings" },
		{ "{\"id\":\"x\",\"tcp_ports\":[\"0\"]}", "tcp_ports must hold strings of port numbers" },
		{ "{\"id\":\"x\",\"args\":\"a\"}", "args" },
		{ "{\"id\":\"x\",\"env\":{\"A\":\"{{ .B }}\"}}", "{{ .B }} is unknown" },
		{ "{\"id\":\"x\",\"volumes\":[{\"name\":\"v\"}]}", "absolute" },
	};

	(void)state;
	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct fl_err err = { 0 };

		assert_null(job_of(cases[i].entry, &err));
		assert_non_null(strstr(err.msg, cases[i].sentence));
	}
}

static void
a_file_that_is_no_manifest_is_refused(void **state)
{
	static const char *const cases[] = { "", "{}", "[1]", "[{}]", "[{\"id\":\"A b\"}]", "[" };

	(void)state;
	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct fl_err err = { 0 };

		assert_null(manifest_parse(cases[i], strlen(cases[i]), &err));
		assert_int_equal(err.kind, FL_ERR_INVALID);
	}
}

static void
the_manifest_that_is_shipped_is_right(void **state)
{
	struct fl_err err = { 0 };
	struct manifest *m = manifest_load("host/manifest.json", &err);

	(void)state;
	if (m == NULL)
		skip(); /* not run from the top of the tree */
	for (size_t i = 0; i < manifest_count(m); i++) {
		struct fl_job *job = manifest_job(m, i, &data, &err);

		assert_non_null(job);
		fl_job_free(job);
	}
	assert_string_equal(manifest_id(m, 0), "etcd");
	assert_string_equal(manifest_id(m, 1), "discoverd");
	manifest_free(m);
}

static void
ports_that_an_entry_has_no_more_are_free_again(void **state)
{
	static const char before[] = "[{\"id\":\"a\",\"tcp_ports\":[\"8080\"]}]", after[] = "[{\"id\":\"a\",\"tcp_ports\":[\"9090\"]}]";
	struct fixture *f = *state;
	struct manifest *old = manifest_parse(before, strlen(before), NULL), *new = manifest_parse(after, strlen(after), NULL);
	struct job *a, *b = fixture_job(f, 1, "\"config\":{\"ports\":[{\"port\":8080}]}");

	f->host.manifest = old;
	assert_int_equal(manifest_apply(&f->host, NULL), 0);
	a = job_find_manifest(&f->host, "a");
	assert_int_equal(ports_take(f->host.ports, a, NULL), 0);
	f->host.manifest = new;
	assert_int_equal(manifest_apply(&f->host, NULL), 0);
	assert_int_equal(ports_take(f->host.ports, a, NULL), 0);
	assert_int_equal(a->active->ports[0], 9090);
	job_free(a);
	assert_int_equal(ports_take(f->host.ports, b, NULL), 0);
	manifest_free(old);
	manifest_free(new);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_put_in),
		cmocka_unit_test(what_is_no_value_is_named),
		cmocka_unit_test(an_entry_is_a_job_of_the_platform),
		cmocka_unit_test(what_is_not_checked_is_no_service),
		cmocka_unit_test(a_wrong_entry_is_named),
		cmocka_unit_test(a_file_that_is_no_manifest_is_refused),
		cmocka_unit_test(the_manifest_that_is_shipped_is_right),
		cmocka_unit_test_setup_teardown(ports_that_an_entry_has_no_more_are_free_again, fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
