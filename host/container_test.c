#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <event2/event.h>

#include "host/container.h"
#include "host/fixture.h"
#include "host/resolvers.h"
#include "libflynn/buf.h"

/* The body that the engine gets. */
static struct fl_json *
body_of(const struct job *j)
{
	struct fl_buf text = { 0 };
	struct fl_json *v;

	container_write(j, "flynn/x:latest", &text);
	v = fl_json_parse(text.data, text.len, NULL);
	assert_non_null(v);
	fl_buf_release(&text);
	return v;
}

static const char *
env_of(const struct fl_json *body, const char *name)
{
	const struct fl_json *env = fl_json_get(body, "Env");
	size_t len = strlen(name);

	for (size_t i = 0; i < fl_json_len(env); i++) {
		const char *pair = fl_json_str(fl_json_at(env, i), "");

		if (strncmp(pair, name, len) == 0 && pair[len] == '=')
			return pair + len + 1;
	}
	return NULL;
}

static void
a_job_learns_where_it_is(void **state)
{
	struct fixture *f = *state;
	struct job *j = fixture_job(f, 1, "\"config\":{\"env\":{\"A\":\"b\",\"PORT\":\"80\"},\"ports\":[{\"port\":0},{\"port\":0}]}");
	struct fl_json *body;

	ports_take(f->host.ports, j, NULL);
	body = body_of(j);
	assert_string_equal(env_of(body, "A"), "b");
	assert_string_equal(env_of(body, "PORT"), "55000");
	assert_string_equal(env_of(body, "PORT_0"), "55000");
	assert_string_equal(env_of(body, "PORT_1"), "55001");
	assert_string_equal(env_of(body, "EXTERNAL_IP"), "192.0.2.7");
	assert_string_equal(env_of(body, "DISCOVERD"), "192.0.2.7:1111");
	assert_string_equal(env_of(body, "FLYNN_HOST_ID"), "h1");
	assert_string_equal(env_of(body, "FLYNN_JOB_ID"), job_id(j));
	fl_json_free(body);
}

static void
only_the_platform_gets_the_key(void **state)
{
	struct job *app = fixture_job(*state, 1, ""), *part = fixture_job(*state, 2, "\"system\":true"),
		   *grid = fixture_job(*state, 3, "\"system\":true,\"config\":{\"host_network\":true}");
	struct fl_json *a = body_of(app), *p = body_of(part), *g = body_of(grid);

	assert_null(env_of(a, "CLUSTER_KEY"));
	assert_null(env_of(a, "ETCD"));
	assert_string_equal(env_of(p, "CLUSTER_KEY"), "secret");
	assert_null(env_of(p, "ETCD"));
	assert_string_equal(env_of(g, "ETCD"), "http://127.0.0.1:2379");
	fl_json_free(a);
	fl_json_free(p);
	fl_json_free(g);
}

static void
the_port_is_the_same_inside_and_outside(void **state)
{
	struct fixture *f = *state;
	struct job *j = fixture_job(f, 1, "\"config\":{\"ports\":[{\"port\":0}]}"),
		   *grid = fixture_job(f, 2, "\"config\":{\"host_network\":true,\"ports\":[{\"port\":0}]}");
	struct fl_json *body, *shared;
	const struct fl_json *binding;

	ports_take(f->host.ports, j, NULL);
	ports_take(f->host.ports, grid, NULL);
	body = body_of(j);
	shared = body_of(grid);
	binding = fl_json_at(fl_json_get(fl_json_get(fl_json_get(body, "HostConfig"), "PortBindings"), "55000/tcp"), 0);
	assert_string_equal(fl_json_text(binding, "HostPort"), "55000");
	assert_non_null(fl_json_get(fl_json_get(body, "ExposedPorts"), "55000/tcp"));
	assert_string_equal(fl_json_text(fl_json_get(fl_json_get(body, "HostConfig"), "Sysctls"), "net.ipv4.ip_local_reserved_ports"), "55000");
	assert_null(fl_json_get(fl_json_get(shared, "HostConfig"), "PortBindings"));
	assert_null(fl_json_get(fl_json_get(shared, "HostConfig"), "Sysctls"));
	assert_string_equal(fl_json_text(fl_json_get(shared, "HostConfig"), "NetworkMode"), "host");
	fl_json_free(body);
	fl_json_free(shared);
}

static void
labels_tell_of_the_whole_job(void **state)
{
	struct fixture *f = *state;
	struct job *j = fixture_job(f, 1, "\"config\":{\"cmd\":[\"a\",\"b\"],\"ports\":[{\"port\":0},{\"port\":7}]}");
	struct fl_json *body, *spec;
	struct fl_job *again;
	const struct fl_json *labels;
	const char *text;

	ports_take(f->host.ports, j, NULL);
	body = body_of(j);
	labels = fl_json_get(body, "Labels");
	text = fl_json_text(labels, HOST_LABEL_SPEC);
	spec = fl_json_parse(text, strlen(text), NULL);
	again = fl_job_parse(spec, NULL);
	assert_string_equal(again->id, job_id(j));
	assert_string_equal(again->cmd[1], "b");
	assert_string_equal(fl_json_text(labels, HOST_LABEL), "h1");
	assert_string_equal(fl_json_text(labels, HOST_LABEL_PORTS), "55000,7");
	fl_job_free(again);
	fl_json_free(spec);
	fl_json_free(body);
}

static void
an_app_is_confined_more_than_the_platform(void **state)
{
	struct job *app = fixture_job(*state, 1, "\"resources\":{\"memory\":1048576,\"cpu\":500}"),
		   *part = fixture_job(*state, 2, "\"system\":true");
	struct fl_json *a = body_of(app), *p = body_of(part);
	const struct fl_json *ac = fl_json_get(a, "HostConfig"), *pc = fl_json_get(p, "HostConfig");

	assert_string_equal(fl_json_str(fl_json_at(fl_json_get(ac, "CapDrop"), 0), ""), "ALL");
	assert_string_equal(fl_json_str(fl_json_at(fl_json_get(pc, "CapDrop"), 0), ""), "ALL");
	assert_string_equal(fl_json_str(fl_json_at(fl_json_get(ac, "SecurityOpt"), 0), ""), "no-new-privileges");
	assert_true(fl_json_int(fl_json_get(ac, "PidsLimit"), 0) > 0);
	assert_int_equal(fl_json_int(fl_json_get(pc, "PidsLimit"), 0), 0);
	assert_int_equal(fl_json_int(fl_json_get(ac, "Memory"), 0), 1048576);
	assert_int_equal(fl_json_int(fl_json_get(ac, "MemorySwap"), 0), 1048576);
	assert_int_equal(fl_json_int(fl_json_get(ac, "NanoCpus"), 0), 500000000);
	assert_string_equal(fl_json_str(fl_json_at(fl_json_get(ac, "Dns"), 0), ""), "172.17.0.1");
	fl_json_free(a);
	fl_json_free(p);
}

static void
names_are_for_people_and_for_the_engine(void **state)
{
	static const struct {
		const char *members, *want;
	} cases[] = {
		{ "", "flynn-000000000000" },
		{ "\"metadata\":{\"flynn-controller.app_name\":\"example\",\"flynn-controller.type\":\"web\"}", "flynn-example-web-000000000000" },
		{ "\"metadata\":{\"flynn-controller.type\":\"a b/c\"}", "flynn-a_b_c-000000000000" },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct job *j = fixture_job(*state, (int)i, cases[i].members);
		char *name = container_name(j), *ended = container_ended_name(j);

		assert_string_equal(name, cases[i].want);
		assert_false(container_name_is_ended(name));
		assert_true(container_name_is_ended(ended));
		free(name);
		free(ended);
	}
}

static void
an_inspection_is_read(void **state)
{
	static const char old_engine[] = "{\"Id\":\"c1\",\"State\":{\"Running\":true,\"ExitCode\":0,\"StartedAt\":\"2026-01-01T00:00:01.5Z\","
					 "\"FinishedAt\":\"0001-01-01T00:00:00Z\"},\"NetworkSettings\":{\"IPAddress\":\"172.17.0.2\"}}";
	static const char new_engine[] = "{\"Id\":\"c1\",\"State\":{\"Running\":false,\"ExitCode\":137,\"OOMKilled\":true},"
					 "\"NetworkSettings\":{\"Networks\":{\"bridge\":{\"IPAddress\":\"172.17.0.3\"}}}}";
	struct fl_json *v = fl_json_parse(old_engine, strlen(old_engine), NULL);
	struct container_info info = { 0 };

	(void)state;
	assert_int_equal(container_parse(v, &info, NULL), 0);
	assert_true(info.running);
	assert_string_equal(info.ip, "172.17.0.2");
	assert_int_equal(info.started_us % 60000000, 1500000);
	assert_int_equal(info.finished_us, 0);
	container_info_release(&info);
	fl_json_free(v);

	v = fl_json_parse(new_engine, strlen(new_engine), NULL);
	assert_int_equal(container_parse(v, &info, NULL), 0);
	assert_true(info.oom_killed);
	assert_int_equal(info.exit_code, 137);
	assert_string_equal(info.ip, "172.17.0.3");
	container_info_release(&info);
	fl_json_free(v);

	v = fl_json_parse("{}", 2, NULL);
	assert_int_equal(container_parse(v, &info, NULL), -1);
	fl_json_free(v);
}

static void
only_resolvers_that_a_container_reaches_are_taken(void **state)
{
	static const char text[] = "# a comment\nsearch x\nnameserver 127.0.0.53\nnameserver\t10.0.0.2\nnameserver fe80::1\n"
				   "nameserver 10.0.0.3\nnameserver 10.0.0.4";
	char out[RESOLVERS_MAX][RESOLVERS_LEN];

	(void)state;
	assert_int_equal(resolvers_parse(text, out), 2);
	assert_string_equal(out[0], "10.0.0.2");
	assert_string_equal(out[1], "10.0.0.3");
	assert_int_equal(resolvers_parse("", out), 0);
}

#define IN_FIXTURE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FIXTURE(a_job_learns_where_it_is),
		IN_FIXTURE(only_the_platform_gets_the_key),
		IN_FIXTURE(the_port_is_the_same_inside_and_outside),
		IN_FIXTURE(labels_tell_of_the_whole_job),
		IN_FIXTURE(an_app_is_confined_more_than_the_platform),
		IN_FIXTURE(names_are_for_people_and_for_the_engine),
		cmocka_unit_test(an_inspection_is_read),
		cmocka_unit_test(only_resolvers_that_a_container_reaches_are_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
