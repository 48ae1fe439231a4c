#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "discoverd/instance.h"
#include "discoverd/roster.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/xmalloc.h"

/* What the roster decided: "up a,down a,sweep a@5,expired s". */
static void
note(struct fl_buf *b, const char *what, const char *name)
{
	fl_buf_addf(b, "%s%s %s", b->len > 0 ? "," : "", what, name);
}

static void
on_up(FL_UNUSED const char *service, const struct instance *i, void *arg)
{
	note(arg, "up", i->id);
}

static void
on_down(FL_UNUSED const char *service, const char *id, void *arg)
{
	note(arg, "down", id);
}

static void
on_dead(FL_UNUSED const char *service, const char *id, int64_t mod_rev, void *arg)
{
	note(arg, "sweep", id);
	fl_buf_addf(arg, "@%d", (int)mod_rev);
}

static void
on_expired(const char *session, void *arg)
{
	note(arg, "expired", session);
}

static const struct roster_ops ops = { on_up, on_down, on_dead, on_expired };

struct world {
	struct roster *r;
	struct fl_buf said;
};

static int
set_up(void **state)
{
	struct world *w = fl_xcalloc(1, sizeof(*w));

	w->r = roster_new(&ops, &w->said);
	*state = w;
	return 0;
}

static int
tear_down(void **state)
{
	struct world *w = *state;

	roster_free(w->r);
	fl_buf_release(&w->said);
	free(w);
	return 0;
}

/* A record of life 1; of another: put_life(). */
static void
put_life(struct world *w, const char *session, const char *life, const char *id, int64_t mod_rev)
{
	struct instance *i = fl_xcalloc(1, sizeof(*i));

	*i = (struct instance){ fl_xstrdup(id), fl_xstrdup("10.0.0.1:80"), fl_xstrdup("tcp"), NULL, 7 };
	roster_put_record(w->r, "web", session, life, i, mod_rev);
}

static void
put(struct world *w, const char *session, const char *id, int64_t mod_rev)
{
	put_life(w, session, "1", id, mod_rev);
}

static void
put_session(struct world *w, const char *id, const char *life, int64_t rev)
{
	roster_put_session(w->r, id, life, 10, rev + 100, rev, false);
}

/* Settles at now_ms and expects what is decided; returns when it wants to be called again. */
static int64_t
settle(struct world *w, int64_t now_ms, const char *want)
{
	int64_t wait_ms = roster_settle(w->r, now_ms);

	assert_string_equal(fl_buf_cstr(&w->said), want);
	fl_buf_clear(&w->said);
	return wait_ms;
}

static void
instances_live_and_die_with_their_session(void **state)
{
	struct world *w = *state;

	put_session(w, "s", "1", 1);
	put(w, "s", "a", 5);
	put(w, "s", "b", 6);
	assert_int_equal(settle(w, 1000, "up a,up b"), -1);
	assert_int_equal(settle(w, 2000, ""), -1);
	roster_lose_session(w->r, "s");
	assert_int_equal(settle(w, 3000, "expired s,down a,down b"), ROSTER_SWEEP_MS);
	settle(w, 3000 + ROSTER_SWEEP_MS, "sweep a@5,sweep b@6");
	roster_lose_record(w->r, "web", "a");
	roster_lose_record(w->r, "web", "b");
	assert_int_equal(settle(w, 8001, ""), -1);
	assert_int_equal(roster_count_sessions(w->r), 0);
}

static void
a_changed_record_is_told_again(void **state)
{
	struct world *w = *state;

	put_session(w, "s", "1", 1);
	put(w, "s", "a", 5);
	settle(w, 1000, "up a");
	put(w, "s", "a", 6);
	settle(w, 1001, "up a");
}

static void
a_deleted_record_goes_alone(void **state)
{
	struct world *w = *state;

	put_session(w, "s", "1", 1);
	put(w, "s", "a", 5);
	put(w, "s", "b", 6);
	settle(w, 1000, "up a,up b");
	roster_lose_record(w->r, "web", "a");
	settle(w, 1001, "down a");
}

static void
goodbye_is_not_questioned(void **state)
{
	struct world *w = *state;

	put_session(w, "s", "1", 1);
	put(w, "s", "a", 5);
	settle(w, 1000, "up a");
	roster_hear(w->r, "s", 1500);
	roster_put_session(w->r, "s", "1", 10, 101, 2, true);
	settle(w, 1501, "down a,sweep a@5");
	roster_lose_session(w->r, "s");
	settle(w, 1502, "");
	assert_int_equal(roster_session(w->r, "s").state, SESSION_UNKNOWN);
}

/* The owner of a was heard at 5,000 ms, and then etcd tells of the end of its session. */
static void
lose_heard_owner(struct world *w)
{
	put_session(w, "s", "1", 1);
	put(w, "s", "a", 5);
	settle(w, 1000, "up a");
	roster_hear(w->r, "s", 5000);
	roster_lose_session(w->r, "s");
}

static void
an_owner_that_was_heard_is_believed(void **state)
{
	struct world *w = *state;

	lose_heard_owner(w);
	roster_lose_record(w->r, "web", "a"); /* etcd lost everything */
	assert_int_equal(settle(w, 9000, ""), 6000);
	assert_int_equal(roster_session(w->r, "s").state, SESSION_HELD);
	/* It comes back: first its records, then its session. */
	put(w, "s", "a", 8);
	settle(w, 9500, "up a");
	put_session(w, "s", "1", 2);
	assert_int_equal(settle(w, 9501, ""), -1);
	assert_int_equal(roster_session(w->r, "s").state, SESSION_PRESENT);
	assert_int_equal(roster_session(w->r, "s").lease, 102);
}

static void
belief_ends_with_the_ttl(void **state)
{
	struct world *w = *state;

	lose_heard_owner(w);
	settle(w, 9000, "");
	roster_hear(w->r, "s", 12000);
	assert_int_equal(settle(w, 15000, ""), 7000);
	settle(w, 22000, "expired s,down a");
}

static void
silence_for_a_ttl_is_death(void **state)
{
	struct world *w = *state;

	lose_heard_owner(w);
	assert_int_equal(settle(w, 15000, ""), ROSTER_LATE_MS);
	settle(w, 15000 + ROSTER_LATE_MS, "expired s,down a");
}

static void
silence_while_we_stood_still_is_not(void **state)
{
	struct world *w = *state;

	lose_heard_owner(w); /* what etcd has sent is read first */
	settle(w, 60000, "");
	roster_hear(w->r, "s", 60001); /* then the owner's heartbeats */
	put_session(w, "s", "1", 6);
	assert_int_equal(settle(w, 60000 + ROSTER_LATE_MS, ""), -1);
	assert_int_equal(roster_session(w->r, "s").state, SESSION_PRESENT);
}

static void
a_leaving_instance_is_not_brought_back(void **state)
{
	struct world *w = *state;

	lose_heard_owner(w);
	settle(w, 6000, "");
	roster_leave(w->r, "web", "a");
	roster_lose_record(w->r, "web", "a");
	settle(w, 6001, "down a");
}

static void
records_of_an_unseen_session_have_a_grace(void **state)
{
	struct world *w = *state;

	put(w, "s", "a", 5);
	put(w, "t", "b", 6);
	assert_int_equal(settle(w, 1000, "up a,up b"), 10000);
	put_session(w, "s", "1", 1);
	settle(w, 2000, "");
	settle(w, 11000, "expired t,down b");
}

static void
the_dead_are_swept_until_they_are_gone(void **state)
{
	struct world *w = *state;

	put_session(w, "s", "1", 1);
	put(w, "s", "a", 5);
	settle(w, 1000, "up a");
	roster_lose_session(w->r, "s");
	assert_int_equal(settle(w, 2000, "expired s,down a"), ROSTER_SWEEP_MS);
	assert_int_equal(settle(w, 3000, ""), ROSTER_SWEEP_MS - 1000);
	settle(w, 2000 + ROSTER_SWEEP_MS, "sweep a@5");
	settle(w, 2001 + ROSTER_SWEEP_MS, "");
	settle(w, 2000 + 2 * ROSTER_SWEEP_MS, "sweep a@5");
}

static void
another_life_does_not_bring_the_dead_back(void **state)
{
	struct world *w = *state;

	put_session(w, "s", "1", 1);
	put(w, "s", "a", 5);
	put(w, "s", "b", 6);
	settle(w, 1000, "up a,up b");
	roster_lose_session(w->r, "s");
	settle(w, 2000, "expired s,down a,down b");
	put_session(w, "s", "2", 7);
	settle(w, 2001, "");
	assert_string_equal(roster_session(w->r, "s").life, "2");
	assert_null(roster_find(w->r, "web", "a").instance);
	put_life(w, "s", "2", "a", 9);
	settle(w, 2002, "up a");
	assert_string_equal(roster_find(w->r, "web", "a").life, "2");
	settle(w, 2000 + ROSTER_SWEEP_MS, "sweep b@6");
}

/* Another discoverd has heard the owner, and brings back what we took for dead. */
static void
the_same_life_does(void **state)
{
	struct world *w = *state;

	put_session(w, "s", "1", 1);
	put(w, "s", "a", 5);
	put(w, "s", "b", 6);
	settle(w, 1000, "up a,up b");
	roster_lose_session(w->r, "s");
	settle(w, 2000, "expired s,down a,down b");
	put(w, "s", "a", 9);
	/* Its session is not there yet; whoever put this one must not find it swept. */
	settle(w, 2000 + ROSTER_SWEEP_MS, "sweep b@6");
	put(w, "s", "b", 10);
	put_session(w, "s", "1", 11);
	settle(w, 2001 + ROSTER_SWEEP_MS, "up a,up b");
	settle(w, 2000 + 3 * ROSTER_SWEEP_MS, "");
}

static void
a_life_that_was_overwritten_ends(void **state)
{
	struct world *w = *state;

	put_session(w, "s", "1", 1);
	put(w, "s", "a", 5);
	settle(w, 1000, "up a");
	put_session(w, "s", "2", 6);
	settle(w, 1001, "down a");
	assert_int_equal(roster_session(w->r, "s").state, SESSION_PRESENT);
	assert_int_equal(roster_session(w->r, "s").rev, 6);
}

static void
a_goodbye_may_be_overwritten(void **state)
{
	struct world *w = *state;

	roster_put_session(w->r, "s", "1", 10, 101, 2, true);
	settle(w, 1000, "");
	assert_int_equal(roster_session(w->r, "s").state, SESSION_UNKNOWN);
	assert_int_equal(roster_session(w->r, "s").rev, 2);
	roster_lose_session(w->r, "s");
	settle(w, 1001, "");
	assert_int_equal(roster_session(w->r, "s").rev, 0);
}

static void
a_record_may_change_its_session(void **state)
{
	struct world *w = *state;

	put_session(w, "s", "1", 1);
	put(w, "s", "a", 5);
	settle(w, 1000, "up a");
	put_session(w, "t", "1", 2);
	put(w, "t", "a", 8);
	settle(w, 1001, "up a");
	roster_lose_session(w->r, "s");
	settle(w, 1002, "expired s");
	roster_lose_session(w->r, "t");
	settle(w, 1003, "expired t,down a");
}

/* Whatever happens in whatever order: who is up is known, and nobody is told twice or forgotten. */
struct model {
	bool up[4];
};

static void
model_up(FL_UNUSED const char *service, const struct instance *i, void *arg)
{
	struct model *m = arg;

	m->up[i->id[0] - 'a'] = true;
}

static void
model_down(FL_UNUSED const char *service, const char *id, void *arg)
{
	struct model *m = arg;

	assert_true(m->up[id[0] - 'a']);
	m->up[id[0] - 'a'] = false;
}

static void
model_dead(FL_UNUSED const char *service, const char *id, FL_UNUSED int64_t mod_rev, void *arg)
{
	const struct model *m = arg;

	assert_false(m->up[id[0] - 'a']);
}

static void
model_expired(FL_UNUSED const char *session, FL_UNUSED void *arg)
{
}

static void
any_order_of_events_leaves_a_consistent_picture(FL_UNUSED void **state)
{
	static const struct roster_ops model_ops = { model_up, model_down, model_dead, model_expired };
	static const char *const sessions[] = { "s", "t", "u" };
	struct model m = { 0 };
	struct world w = { .r = roster_new(&model_ops, &m) };
	unsigned seed = 1;
	int64_t now_ms = 1000;

	for (int64_t n = 1; n <= 200000; n++) {
		char id[] = { (char)('a' + rand_r(&seed) % 4), '\0' };
		const char *s = sessions[rand_r(&seed) % 3], *life = rand_r(&seed) % 2 ? "1" : "2";

		switch (rand_r(&seed) % 8) {
		case 0:
			roster_put_session(w.r, s, life, 10, n, n, rand_r(&seed) % 4 == 0);
			break;
		case 1:
			roster_lose_session(w.r, s);
			break;
		case 2:
			put_life(&w, s, life, id, n);
			break;
		case 3:
			roster_lose_record(w.r, "web", id);
			break;
		case 4:
			roster_hear(w.r, s, now_ms);
			break;
		case 5:
			roster_leave(w.r, "web", id);
			break;
		default:
			now_ms += rand_r(&seed) % 5000;
			roster_settle(w.r, now_ms);
			for (id[0] = 'a'; id[0] < 'e'; id[0]++)
				if (roster_find(w.r, "web", id).instance != NULL)
					assert_true(m.up[id[0] - 'a']);
		}
	}
	roster_settle(w.r, now_ms + 3600000);
	roster_settle(w.r, now_ms + 7200000);
	roster_free(w.r);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(instances_live_and_die_with_their_session),
		TEST(a_changed_record_is_told_again),
		TEST(a_deleted_record_goes_alone),
		TEST(goodbye_is_not_questioned),
		TEST(an_owner_that_was_heard_is_believed),
		TEST(belief_ends_with_the_ttl),
		TEST(silence_for_a_ttl_is_death),
		TEST(silence_while_we_stood_still_is_not),
		TEST(a_leaving_instance_is_not_brought_back),
		TEST(records_of_an_unseen_session_have_a_grace),
		TEST(the_dead_are_swept_until_they_are_gone),
		TEST(another_life_does_not_bring_the_dead_back),
		TEST(the_same_life_does),
		TEST(a_life_that_was_overwritten_ends),
		TEST(a_goodbye_may_be_overwritten),
		TEST(a_record_may_change_its_session),
		cmocka_unit_test(any_order_of_events_leaves_a_consistent_picture),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
