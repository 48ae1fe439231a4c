#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "controller/scheduler_decide.h"
#include "controller/scheduler_world.h"
#include "libflynn/attr.h"
#include "libflynn/json.h"
#include "libflynn/list.h"
#include "libflynn/map.h"
#include "libflynn/xmalloc.h"

#define ROUNDS 20000

static void
set_formation(struct world *w, const char *app, const char *release, const char *processes, const char *type_extra)
{
	char *text = fl_xasprintf("{\"app\":{\"id\":\"%s\"},\"release\":{\"id\":\"%s\",\"processes\":"
				  "{\"web\":{%s},\"worker\":{}}},\"processes\":%s}",
	    app, release, type_extra, processes);
	struct fl_json *v = fl_json_parse(text, strlen(text), NULL);

	assert_non_null(v);
	world_set_formation(w, v);
	free(text);
}

static void
add_host(struct world *w, const char *id)
{
	world_set_host(w, id, "192.0.2.1:1113")->known = true;
}

static struct job *
add_job(struct world *w, const char *id, const char *host, const char *release, const char *type, enum job_state state)
{
	struct job *j = world_add_job(w, id, host, "a", release, type);

	j->state = state;
	return j;
}

static int
count(const struct sched_plan *p, enum action_kind kind)
{
	int n = 0;

	for (size_t i = 0; i < p->n; i++)
		n += p->actions[i].kind == kind;
	return n;
}

static int
setup(void **state)
{
	struct world *w = fl_xcalloc(1, sizeof(*w));

	world_init(w);
	*state = w;
	return 0;
}

static int
teardown(void **state)
{
	world_release(*state);
	free(*state);
	return 0;
}

static void
missing_jobs_are_spread_over_hosts(void **state)
{
	struct world *w = *state;
	struct sched_plan p;
	int on_first = 0;

	add_host(w, "h1");
	add_host(w, "h2");
	set_formation(w, "a", "r1", "{\"web\":4}", "");
	decide(w, 0, &p);
	assert_int_equal(count(&p, ACTION_START), 4);
	for (size_t i = 0; i < p.n; i++)
		on_first += strcmp(p.actions[i].host->id, "h1") == 0;
	assert_int_equal(on_first, 2);
	sched_plan_release(&p);
}

static void
jobs_go_where_their_volume_is(void **state)
{
	struct world *w = *state;
	struct sched_plan p;
	struct fl_json *v;
	static const char text[] = "{\"app\":{\"id\":\"a\"},\"release\":{\"id\":\"r2\",\"processes\":{\"web\":{\"data\":true}}},"
				   "\"processes\":{\"web\":2},\"volumes\":[{\"type\":\"web\",\"path\":\"/data\",\"host_id\":\"h2\"}]}";

	add_host(w, "h1");
	add_host(w, "h3");
	set_formation(w, "a", "r1", "{\"web\":3}", "\"data\":true");
	decide(w, 0, &p);
	assert_int_equal(count(&p, ACTION_START), 3); /* a first one chooses, the others follow */
	assert_ptr_equal(p.actions[0].host, p.actions[1].host);
	assert_ptr_equal(p.actions[0].host, p.actions[2].host);
	sched_plan_release(&p);
	set_formation(w, "a", "r1", "{}", "");
	assert_non_null(v = fl_json_parse(text, strlen(text), NULL));
	world_set_formation(w, v);
	decide(w, 0, &p);
	assert_int_equal(p.n, 0); /* its host is away */
	sched_plan_release(&p);
	add_host(w, "h2");
	decide(w, 0, &p);
	assert_int_equal(count(&p, ACTION_START), 2);
	for (size_t i = 0; i < p.n; i++)
		assert_string_equal(p.actions[i].host->id, "h2");
	sched_plan_release(&p);
}

static void
decommissioned_volumes_hold_no_job(void **state)
{
	struct world *w = *state;
	struct sched_plan p;
	static const char text[] = "{\"app\":{\"id\":\"a\"},\"release\":{\"id\":\"r1\",\"processes\":{\"web\":{\"data\":true}}},"
				   "\"processes\":{\"web\":1},"
				   "\"decommissioned\":[{\"type\":\"web\",\"path\":\"/data\",\"host_id\":\"h2\",\"n\":3}]}";
	struct fl_json *v = fl_json_parse(text, strlen(text), NULL);

	assert_non_null(v);
	add_host(w, "h1");
	world_set_formation(w, v);
	decide(w, 0, &p);
	assert_int_equal(count(&p, ACTION_START), 1); /* h2, which has the old one, is away */
	assert_int_equal(formation_volume_number(p.actions[0].formation, "web", "/data", "h1"), 0);
	assert_int_equal(formation_volume_number(p.actions[0].formation, "web", "/data", "h2"), 3);
	assert_int_equal(formation_volume_number(p.actions[0].formation, "web", "/other", "h2"), 0);
	sched_plan_release(&p);
}

static void
surplus_is_taken_from_the_newest(void **state)
{
	struct world *w = *state;
	struct sched_plan p;

	add_host(w, "h1");
	set_formation(w, "a", "r1", "{\"web\":1}", "");
	add_job(w, "h1-1", "h1", "r1", "web", JOB_UP);
	add_job(w, "h1-2", "h1", "r1", "web", JOB_UP);
	add_job(w, "h1-3", "h1", "r1", "web", JOB_STARTING);
	decide(w, 0, &p);
	assert_int_equal(p.n, 2);
	assert_int_equal(p.actions[0].kind, ACTION_STOP);
	assert_string_equal(p.actions[0].job->id, "h1-3");
	assert_string_equal(p.actions[1].job->id, "h1-2");
	sched_plan_release(&p);
}

/* As set_formation, but with jobs that are to be replaced. */
static void
replace_jobs(struct world *w, const char *processes, const char *type_extra, const char *ids)
{
	char *text = fl_xasprintf("{\"app\":{\"id\":\"a\"},\"release\":{\"id\":\"r1\",\"processes\":{\"web\":{%s}}},"
				  "\"processes\":%s,\"replace\":%s}",
	    type_extra, processes, ids);
	struct fl_json *v = fl_json_parse(text, strlen(text), NULL);

	assert_non_null(v);
	world_set_formation(w, v);
	free(text);
}

/* Carry one decision out: what is started is up at the next but one, what is stopped has gone. Returns the fewest that were up. */
static int
step(struct world *w, int *next_id)
{
	struct sched_plan p;
	struct job *j, *after;
	int up = 0;

	decide(w, 0, &p);
	TAILQ_FOREACH_SAFE(j, &w->jobs, link, after) {
		if (j->state == JOB_STOPPING)
			world_remove_job(w, j);
		else if (j->state == JOB_STARTING)
			j->state = JOB_UP;
	}
	for (size_t i = 0; i < p.n; i++) {
		char id[16];

		snprintf(id, sizeof(id), "h1-new%d", (*next_id)++);
		if (p.actions[i].kind == ACTION_START)
			add_job(w, id, "h1", "r1", "web", JOB_STARTING);
		else if (p.actions[i].kind == ACTION_STOP)
			p.actions[i].job->state = JOB_STOPPING;
	}
	sched_plan_release(&p);
	TAILQ_FOREACH(j, &w->jobs, link)
		up += j->state == JOB_UP;
	return up;
}

static void
jobs_are_replaced_one_by_one_and_none_is_missed(void **state)
{
	static const struct {
		const char *extra;
		int fewest, most;
	} cases[] = { { "", 3, 4 }, { "\"data\":true", 2, 3 } };

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct world *w = *state;
		int next_id = 0, rounds = 0;

		if (i > 0) {
			teardown(state);
			setup(state);
			w = *state;
		}
		add_host(w, "h1");
		for (int k = 0; k < 3; k++)
			add_job(w, (const char *[]){ "h1-a", "h1-b", "h1-c" }[k], "h1", "r1", "web", JOB_UP);
		replace_jobs(w, "{\"web\":3}", cases[i].extra, "[\"h1-a\",\"h1-c\",\"h1-gone\"]");
		while (world_job(w, "h1-a") != NULL || world_job(w, "h1-c") != NULL) {
			int up = step(w, &next_id), all = 0;
			const struct job *j;

			TAILQ_FOREACH(j, &w->jobs, link)
				all += j->state != JOB_STOPPING;
			assert_true(up >= cases[i].fewest && all <= cases[i].most);
			assert_true(++rounds < 20);
		}
		for (int k = 0; k < 3; k++)
			step(w, &next_id);
		assert_int_equal(next_id, 4); /* two started, two stopped */
		assert_non_null(world_job(w, "h1-b"));
		assert_int_equal(step(w, &next_id), 3);
	}
}

static void
what_cannot_replace_a_job_leaves_it_alone(void **state)
{
	struct world *w = *state;
	struct sched_plan p;
	struct job *fresh;

	add_host(w, "h1");
	add_job(w, "h1-a", "h1", "r1", "web", JOB_UP);
	replace_jobs(w, "{\"web\":1}", "", "[\"h1-a\"]");
	fresh = world_add_job(w, NULL, NULL, "a", "r1", "web"); /* it died, and waits for its back-off */
	fresh->run_at = 1000;
	decide(w, 0, &p);
	assert_int_equal(p.n, 0);
	sched_plan_release(&p);
	/* It is given up. */
	replace_jobs(w, "{\"web\":1}", "", "[]");
	decide(w, 0, &p);
	assert_int_equal(p.n, 1);
	assert_int_equal(p.actions[0].kind, ACTION_FORGET);
	sched_plan_release(&p);
	/* An app that is stopped is not started again for it. */
	replace_jobs(w, "{\"web\":0}", "", "[\"h1-a\"]");
	decide(w, 0, &p);
	assert_int_equal(count(&p, ACTION_START), 0);
	sched_plan_release(&p);
}

static void
old_release_serves_until_the_new_one_is_up(void **state)
{
	struct world *w = *state;
	struct job *fresh;
	struct sched_plan p;

	add_host(w, "h1");
	set_formation(w, "a", "r2", "{\"web\":1}", "");
	add_job(w, "h1-1", "h1", "r1", "web", JOB_UP);
	decide(w, 0, &p);
	assert_int_equal(count(&p, ACTION_START), 1);
	assert_int_equal(count(&p, ACTION_STOP), 0);
	sched_plan_release(&p);

	fresh = add_job(w, "h1-2", "h1", "r2", "web", JOB_STARTING);
	decide(w, 0, &p);
	assert_int_equal(p.n, 0);
	sched_plan_release(&p);

	fresh->state = JOB_UP;
	decide(w, 0, &p);
	assert_int_equal(p.n, 1);
	assert_string_equal(p.actions[0].job->id, "h1-1");
	sched_plan_release(&p);
}

static void
exclusive_types_go_before_their_successors_come(void **state)
{
	static const char *const extras[] = { "\"data\":true", "\"ports\":[{\"port\":1112}]" };
	struct world *w = *state;
	struct sched_plan p;
	struct job *old = add_job(w, "h1-1", "h1", "r1", "web", JOB_UP);

	add_host(w, "h1");
	for (size_t i = 0; i < fl_nitems(extras); i++) {
		old->state = JOB_UP;
		set_formation(w, "a", "r2", "{\"web\":1}", extras[i]);
		decide(w, 0, &p);
		assert_int_equal(p.n, 1);
		assert_int_equal(p.actions[0].kind, ACTION_STOP);
		sched_plan_release(&p);
		old->state = JOB_STOPPING;
		decide(w, 0, &p);
		assert_int_equal(p.n, 0);
		sched_plan_release(&p);
	}
	world_remove_job(w, old);
	decide(w, 0, &p);
	assert_int_equal(count(&p, ACTION_START), 1);
	sched_plan_release(&p);
}

static void
omni_types_run_on_every_host(void **state)
{
	struct world *w = *state;
	struct sched_plan p;

	add_host(w, "h1");
	add_host(w, "h2");
	add_host(w, "h3");
	set_formation(w, "a", "r1", "{\"web\":1}", "\"omni\":true");
	add_job(w, "h2-1", "h2", "r1", "web", JOB_UP);
	decide(w, 0, &p);
	assert_int_equal(count(&p, ACTION_START), 2);
	for (size_t i = 0; i < p.n; i++)
		assert_string_not_equal(p.actions[i].host->id, "h2");
	sched_plan_release(&p);
}

static void
one_off_jobs_are_left_alone(void **state)
{
	struct world *w = *state;
	struct sched_plan p;

	add_host(w, "h1");
	add_job(w, "h1-1", "h1", "r1", "", JOB_UP);
	decide(w, 0, &p);
	assert_int_equal(p.n, 0);
	sched_plan_release(&p);
}

static void
pending_jobs_wait_for_their_time(void **state)
{
	struct world *w = *state;
	struct sched_plan p;
	struct job *j;

	add_host(w, "h1");
	set_formation(w, "a", "r1", "{\"web\":1}", "");
	j = world_add_job(w, NULL, NULL, "a", "r1", "web");
	j->run_at = 500;
	decide(w, 499, &p);
	assert_int_equal(p.n, 0);
	assert_int_equal(p.wake_at, 500);
	decide(w, 500, &p);
	assert_int_equal(count(&p, ACTION_START_PENDING), 1);
	sched_plan_release(&p);

	set_formation(w, "a", "r1", "{}", "");
	decide(w, 500, &p);
	assert_int_equal(count(&p, ACTION_FORGET), 1);
	sched_plan_release(&p);
}

static void
without_a_host_nothing_is_started(void **state)
{
	struct world *w = *state;
	struct sched_plan p;

	world_set_host(w, "h1", "192.0.2.1:1113"); /* has not told its jobs yet */
	set_formation(w, "a", "r1", "{\"web\":2}", "");
	decide(w, 0, &p);
	assert_int_equal(p.n, 0);
	sched_plan_release(&p);
}

/* Limits of jobs are promises: a host gives no more than it has. */
static void
a_job_goes_where_there_is_room(void **state)
{
	struct world *w = *state;
	struct job *pending;
	struct sched_plan p;

	add_host(w, "h1");
	add_host(w, "h2");
	world_set_host(w, "h1", "192.0.2.1:1113")->memory_bytes = (int64_t)3 << 30;
	world_set_host(w, "h2", "192.0.2.1:1113")->memory_bytes = (int64_t)5 << 30;
	set_formation(w, "a", "r1", "{\"web\":5,\"worker\":1}", "\"resources\":{\"memory\":2147483648}");
	decide(w, 0, &p);
	assert_int_equal(count(&p, ACTION_START), 4); /* one on h1, two on h2, and what has no limit */
	assert_int_equal(count(&p, ACTION_REFUSE), 1);
	sched_plan_release(&p);

	add_job(w, "h1-1", "h1", "r1", "web", JOB_UP)->memory_bytes = (int64_t)2 << 30;
	add_job(w, "h2-1", "h2", "r1", "web", JOB_UP)->memory_bytes = (int64_t)2 << 30;
	add_job(w, "h2-2", "h2", "r0", "", JOB_UP)->memory_bytes = (int64_t)1 << 30;
	set_formation(w, "a", "r1", "{\"web\":3}", "\"resources\":{\"memory\":2147483648}");
	pending = world_add_job(w, NULL, NULL, "a", "r1", "web");
	decide(w, 0, &p);
	assert_int_equal(count(&p, ACTION_START_PENDING), 1);
	assert_string_equal(p.actions[p.n - 1].host->id, "h2");
	sched_plan_release(&p);

	world_job(w, "h2-2")->memory_bytes++;
	decide(w, 0, &p);
	assert_int_equal(p.n, 1);
	assert_int_equal(p.actions[0].kind, ACTION_REFUSE);
	assert_ptr_equal(p.actions[0].job, pending);
	sched_plan_release(&p);
}

static void
restarts_back_off(FL_UNUSED void **state)
{
	static const struct {
		int restarts, want_ms;
	} cases[] = { { 0, 0 }, { 1, 0 }, { 5, 0 }, { 6, 10000 }, { 15, 10000 }, { 16, 30000 }, { 1000, 30000 } };

	for (size_t i = 0; i < fl_nitems(cases); i++)
		assert_int_equal(restart_delay_ms(cases[i].restarts), cases[i].want_ms);
}

/* What a well-behaved cluster makes of a plan, except that requests may be lost. */
static void
carry_out(struct world *w, const struct sched_plan *p, int *next_id)
{
	for (size_t i = 0; i < p->n; i++) {
		const struct sched_action *a = &p->actions[i];
		struct job *j = a->job;
		char *id;

		switch (a->kind) {
		case ACTION_START:
			j = world_add_job(w, NULL, NULL, a->formation->app, a->formation->release, a->type);
			/* FALLTHROUGH */
		case ACTION_START_PENDING:
			id = fl_xasprintf("%s-%d", a->host->id, ++*next_id);
			world_place_job(w, j, id, a->host->id);
			free(id);
			break;
		case ACTION_REFUSE:
			fail_msg("nothing here has a limit");
			break;
		case ACTION_STOP:
			j->state = JOB_STOPPING;
			break;
		case ACTION_FORGET:
			world_remove_job(w, j);
			break;
		}
	}
}

/* Some jobs come up, some end as they were told to, some die. */
static void
time_passes(struct world *w, bool quiet)
{
	struct job *j, *next;

	TAILQ_FOREACH_SAFE(j, &w->jobs, link, next) {
		int dice = quiet ? 0 : rand() % 4;

		if (j->state == JOB_STOPPING && dice < 2)
			world_remove_job(w, j);
		else if (j->state == JOB_STARTING && dice < 2)
			j->state = JOB_UP;
		else if (j->id != NULL && dice == 3 && rand() % 8 == 0)
			world_remove_job(w, j);
	}
}

static void
change_desire(struct world *w)
{
	char *processes = fl_xasprintf("{\"web\":%d,\"worker\":%d}", rand() % 4, rand() % 3);
	const char *release = rand() % 2 ? "r1" : "r2";
	struct formation *other = world_formation(w, "a", release[1] == '1' ? "r2" : "r1");

	if (other != NULL)
		world_remove_formation(w, other); /* an app's release moves whole */
	set_formation(w, "a", release, processes, rand() % 8 == 0 ? "\"data\":true" : "");
	free(processes);
}

static void
assert_true_to_formations(const struct world *w)
{
	static const char *const types[] = { "web", "worker" };
	const struct job *j;
	int total = 0, wanted = 0;

	FL_MAP_EACH(w->formations, e) {
		struct formation *f = fl_map_value(e);

		for (size_t t = 0; t < fl_nitems(types); t++) {
			int up = 0;

			TAILQ_FOREACH(j, &w->jobs, link)
				up += strcmp(j->release, f->release) == 0 && strcmp(j->type, types[t]) == 0;
			assert_int_equal(up, formation_wants(f, types[t]));
			wanted += up;
		}
	}
	TAILQ_FOREACH(j, &w->jobs, link)
		total++;
	assert_int_equal(total, wanted);
}

/* Whatever happens, once the world holds still it is made true, in a bounded number of decisions. */
static void
any_world_converges(void **state)
{
	struct world *w = *state;
	struct sched_plan p;
	int next_id = 0;

	srand(1);
	add_host(w, "h1");
	add_host(w, "h2");
	for (int round = 0; round < ROUNDS; round++) {
		change_desire(w);
		for (int i = rand() % 4; i > 0; i--) {
			decide(w, 0, &p);
			carry_out(w, &p, &next_id);
			sched_plan_release(&p);
			time_passes(w, false);
		}
		if (round % 10 != 0)
			continue;
		for (int i = 0; i < 6; i++) {
			decide(w, 0, &p);
			carry_out(w, &p, &next_id);
			sched_plan_release(&p);
			time_passes(w, true);
		}
		decide(w, 0, &p);
		assert_int_equal(p.n, 0);
		sched_plan_release(&p);
		assert_true_to_formations(w);
	}
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(missing_jobs_are_spread_over_hosts),
		TEST(jobs_go_where_their_volume_is),
		TEST(decommissioned_volumes_hold_no_job),
		TEST(surplus_is_taken_from_the_newest),
		TEST(old_release_serves_until_the_new_one_is_up),
		TEST(jobs_are_replaced_one_by_one_and_none_is_missed),
		TEST(what_cannot_replace_a_job_leaves_it_alone),
		TEST(exclusive_types_go_before_their_successors_come),
		TEST(omni_types_run_on_every_host),
		TEST(one_off_jobs_are_left_alone),
		TEST(pending_jobs_wait_for_their_time),
		TEST(without_a_host_nothing_is_started),
		TEST(a_job_goes_where_there_is_room),
		TEST(restarts_back_off),
		TEST(any_world_converges),
	};

	return cmocka_run_group_tests_name("scheduler_decide", tests, NULL, NULL);
}
