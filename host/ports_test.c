#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <event2/event.h>

#include "host/fixture.h"
#include "libflynn/err.h"

#define TWO_PORTS "\"config\":{\"ports\":[{\"port\":0},{\"port\":0}]}"
#define MACHINE_PORT "\"config\":{\"host_network\":true,\"ports\":[{\"port\":0}]}"
#define PORT(n) "\"config\":{\"ports\":[{\"port\":" #n "}]}"

static void
numbers_are_given_in_turn_and_not_again_soon(void **state)
{
	struct fixture *f = *state;
	struct job *a = fixture_job(f, 1, TWO_PORTS), *b = fixture_job(f, 2, TWO_PORTS);

	assert_int_equal(ports_take(f->host.ports, a, NULL), 0);
	assert_int_equal(a->active->ports[0], PORTS_FIRST);
	assert_int_equal(a->active->ports[1], PORTS_FIRST + 1);
	ports_release(f->host.ports, a);
	assert_int_equal(ports_take(f->host.ports, b, NULL), 0);
	assert_int_equal(b->active->ports[0], PORTS_FIRST + 2);
}

static void
the_last_number_is_followed_by_the_first_free(void **state)
{
	struct fixture *f = *state;
	struct job *a = fixture_job(f, 1, PORT(55000)), *b = fixture_job(f, 2, TWO_PORTS);

	assert_int_equal(ports_take(f->host.ports, a, NULL), 0);
	ports_set_next(f->host.ports, PORTS_LAST);
	assert_int_equal(ports_take(f->host.ports, b, NULL), 0);
	assert_int_equal(b->active->ports[0], PORTS_LAST);
	assert_int_equal(b->active->ports[1], PORTS_FIRST + 1);
}

static void
jobs_on_the_machines_network_are_above_outgoing_connections(void **state)
{
	struct fixture *f = *state;
	struct job *a = fixture_job(f, 1, MACHINE_PORT), *b = fixture_job(f, 2, PORT(0)),
		   *c = fixture_job(f, 3, MACHINE_PORT);

	assert_int_equal(ports_take(f->host.ports, a, NULL), 0);
	assert_int_equal(ports_take(f->host.ports, b, NULL), 0);
	assert_int_equal(ports_take(f->host.ports, c, NULL), 0);
	assert_int_equal(a->active->ports[0], PORTS_FIRST_OF_MACHINE);
	assert_int_equal(b->active->ports[0], PORTS_FIRST);
	assert_int_equal(c->active->ports[0], PORTS_FIRST_OF_MACHINE + 1);
}

static void
who_has_a_port_that_is_asked_for_is_named(void **state)
{
	struct fixture *f = *state;
	struct job *a = fixture_job(f, 1, "\"metadata\":{\"flynn-controller.type\":\"postgres\"}," PORT(5432)),
		   *b = fixture_job(f, 2, "\"metadata\":{\"flynn-controller.type\":\"web\"}," PORT(5432));
	struct fl_err err = { 0 };

	assert_int_equal(ports_take(f->host.ports, a, NULL), 0);
	assert_int_equal(ports_take(f->host.ports, b, &err), -1);
	assert_int_equal(err.kind, FL_ERR_CONFLICT);
	assert_string_equal(err.msg, "web wants port 5432, which postgres (job h1-00000000000000000000000000000001) has");
	ports_release(f->host.ports, a);
	assert_int_equal(ports_take(f->host.ports, b, NULL), 0);
}

static void
protocols_do_not_share_numbers(void **state)
{
	struct fixture *f = *state;
	struct job *a = fixture_job(f, 1, PORT(5353)),
		   *b = fixture_job(f, 2, "\"config\":{\"ports\":[{\"port\":5353,\"proto\":\"udp\"}]}");

	assert_int_equal(ports_take(f->host.ports, a, NULL), 0);
	assert_int_equal(ports_take(f->host.ports, b, NULL), 0);
}

static void
the_port_of_a_complaint_is_replaced_and_no_other(void **state)
{
	static const char *const complaints[] = {
		"driver failed programming external connectivity: Error starting userland proxy: listen tcp4 0.0.0.0:55001: bind: address already in use",
		"Bind for 0.0.0.0:55001 failed: port is already allocated",
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < fl_nitems(complaints); i++) {
		struct job *a = fixture_job(f, (int)i, TWO_PORTS);

		assert_true(ports_are_taken(complaints[i]));
		ports_set_next(f->host.ports, 55000);
		assert_int_equal(ports_take(f->host.ports, a, NULL), 0);
		assert_int_equal(ports_replace(f->host.ports, a, complaints[i], NULL), 0);
		assert_int_equal(a->active->ports[0], 55000);
		assert_int_equal(a->active->ports[1], 55002);
		job_free(a);
	}
	assert_false(ports_are_taken("no such image"));
}

static void
a_complaint_without_a_number_replaces_all_that_we_chose(void **state)
{
	struct fixture *f = *state;
	struct job *a = fixture_job(f, 1, TWO_PORTS);

	assert_int_equal(ports_take(f->host.ports, a, NULL), 0);
	assert_int_equal(ports_replace(f->host.ports, a, "address already in use", NULL), 0);
	assert_int_equal(a->active->ports[0], PORTS_FIRST + 2);
	assert_int_equal(a->active->ports[1], PORTS_FIRST + 3);
}

static void
a_port_asked_for_by_number_is_not_replaced(void **state)
{
	struct fixture *f = *state;
	struct job *a = fixture_job(f, 1, "\"metadata\":{\"flynn-controller.type\":\"web\"}," PORT(80));
	struct fl_err err = { 0 };

	assert_int_equal(ports_take(f->host.ports, a, NULL), 0);
	assert_int_equal(ports_replace(f->host.ports, a, "listen tcp 0.0.0.0:80: bind: address already in use", &err), -1);
	assert_non_null(strstr(err.msg, "web wants port 80, which another program on this machine has"));
}

static struct job *
job_with_ports(struct fixture *f, int n_ports)
{
	struct fl_job *spec = fl_job_new();

	for (int i = 0; i < n_ports; i++)
		fl_job_add_port(spec, 0);
	fl_job_set_id(spec, f->host.id);
	return job_new(&f->host, job_active_of(&f->host, spec, 1));
}

/* No silence of the engine's, which would be waited for. */
static void
when_all_are_taken_it_is_said_and_none_is_lost(void **state)
{
	struct fixture *f = *state;
	struct job *a = job_with_ports(f, 1), *hog = job_with_ports(f, PORTS_LAST - PORTS_FIRST), *b = job_with_ports(f, 1);
	struct fl_err err = { 0 };

	assert_int_equal(ports_take(f->host.ports, a, NULL), 0);
	assert_int_equal(ports_take(f->host.ports, hog, NULL), 0);
	assert_int_equal(ports_take(f->host.ports, b, &err), -1);
	assert_int_equal(err.kind, FL_ERR_CONFLICT);
	assert_int_equal(ports_replace(f->host.ports, a, "address already in use", NULL), -1);
	job_free(a);
	assert_int_equal(ports_take(f->host.ports, b, NULL), 0);
	assert_int_equal(b->active->ports[0], PORTS_FIRST);
}

#define IN_FIXTURE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FIXTURE(numbers_are_given_in_turn_and_not_again_soon),
		IN_FIXTURE(the_last_number_is_followed_by_the_first_free),
		IN_FIXTURE(jobs_on_the_machines_network_are_above_outgoing_connections),
		IN_FIXTURE(who_has_a_port_that_is_asked_for_is_named),
		IN_FIXTURE(protocols_do_not_share_numbers),
		IN_FIXTURE(the_port_of_a_complaint_is_replaced_and_no_other),
		IN_FIXTURE(a_complaint_without_a_number_replaces_all_that_we_chose),
		IN_FIXTURE(a_port_asked_for_by_number_is_not_replaced),
		IN_FIXTURE(when_all_are_taken_it_is_said_and_none_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
