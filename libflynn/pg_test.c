#include "libflynn/pg.h"

#include <fcntl.h>
#include <ftw.h>
#include <pwd.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "libflynn/clock.h"
#include "libflynn/err.h"
#include "libflynn/loop_test.h"
#include "libflynn/proc.h"
#include "libflynn/xmalloc.h"

#define POSTGRES "/usr/lib/postgresql/15/bin/postgres"
#define INITDB "/usr/lib/postgresql/15/bin/initdb"
#define SKIPPED 77

/* A real server in a directory of its own, on a Unix socket. */
struct world {
	struct event_base *base;
	char dir[32];
	struct fl_proc *proc;
	bool exited, unknown; /* unknown: its address is */
	int status;
	int asked, awaited; /* how often its address was asked for, and is to be */
	int wrong; /* addresses to give first, where nobody is */
	bool second; /* of two addresses its own is the second */
};

/* How a query ended. */
struct result {
	bool done;
	int rows;
	char text[128]; /* of the first field */
	struct fl_err err;
};

static void
on_exit_of(int status, void *arg)
{
	struct world *w = arg;

	w->status = status;
	w->exited = true;
}

/* Postgres refuses to be root. */
static void
run_as_postgres(struct world *w, const char *const *words)
{
	static const char *const drop[] = { "setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups" };
	const char *argv[24];
	int n = 0, null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (size_t i = 0; geteuid() == 0 && i < fl_nitems(drop); i++)
		argv[n++] = drop[i];
	for (size_t i = 0; words[i] != NULL; i++)
		argv[n++] = words[i];
	argv[n] = NULL;
	w->exited = false;
	w->proc = fl_proc_start(w->base, &(struct fl_proc_opts){ .argv = argv, .stdio = { null, null, null }, .cwd = "/" }, on_exit_of, w, NULL);
	assert_non_null(w->proc);
	close(null);
}

static void
server_start(struct world *w)
{
	const char *words[] = { POSTGRES, "-D", w->dir, "-k", w->dir, "-c", "listen_addresses=", "-c", "fsync=off", NULL };

	run_as_postgres(w, words);
}

static void
server_kill(struct world *w)
{
	fl_proc_kill(w->proc, SIGQUIT); /* at once, and its children with it */
	assert_true(loop_until(w->base, loop_is_set, &w->exited));
}

static char *
conninfo(void *arg)
{
	struct world *w = arg;

	w->asked++;
	if (w->unknown)
		return NULL;
	if (w->wrong > 0 && w->wrong-- > 0)
		return fl_xstrdup("host=/nowhere");
	return fl_xasprintf("host=%s%s port=%s5432 user=postgres dbname=postgres", w->second ? "127.0.0.1," : "", w->dir, w->second ? "1," : "");
}

static void
on_result(const PGresult *res, const struct fl_err *err, void *arg)
{
	struct result *r = arg;

	assert_false(r->done);
	r->done = true;
	if (err != NULL) {
		r->err = *err;
		return;
	}
	r->rows = PQntuples(res);
	if (r->rows > 0)
		snprintf(r->text, sizeof(r->text), "%s", fl_pg_str(res, 0, 0, "NULL"));
}

static struct result
query(struct world *w, struct fl_pg *pg, const char *sql, const char *a, const char *b)
{
	const char *params[] = { a, b };
	struct result r = { 0 };

	fl_pg_query(pg, sql, params, b != NULL ? 2 : a != NULL, on_result, &r);
	assert_false(r.done); /* only from the loop */
	assert_true(loop_until(w->base, loop_is_set, &r.done));
	return r;
}

static struct fl_pg *
pool(struct world *w, int conns, int wait_ms, int max_waiting)
{
	const struct fl_pg_opts opts = { conninfo, w, conns, wait_ms, max_waiting, 0 };

	return fl_pg_new(w->base, &opts);
}

static int
set_up(void **state)
{
	struct world *w = fl_xcalloc(1, sizeof(*w));
	const char *words[] = { INITDB, "-D", w->dir, "-U", "postgres", "-A", "trust", "-N", "--no-instructions", NULL };
	const struct passwd *pw = getpwnam("postgres");
	struct fl_pg *pg;

	w->base = event_base_new();
	snprintf(w->dir, sizeof(w->dir), "/tmp/pg-test-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	if (geteuid() == 0)
		assert_int_equal(chown(w->dir, pw->pw_uid, pw->pw_gid), 0);
	run_as_postgres(w, words);
	assert_true(loop_until_ms(w->base, loop_is_set, &w->exited, 60000));
	assert_int_equal(w->status, 0);
	server_start(w);
	pg = pool(w, 1, 30000, 0);
	assert_string_equal(query(w, pg, "CREATE TABLE t (id int PRIMARY KEY CHECK (id > 0), name text)", NULL, NULL).err.msg, "");
	fl_pg_free(pg);
	*state = w;
	return 0;
}

static int
remove_one(const char *path, FL_UNUSED const struct stat *st, FL_UNUSED int type, FL_UNUSED struct FTW *ftw)
{
	return remove(path);
}

static int
tear_down(void **state)
{
	struct world *w = *state;

	server_kill(w);
	nftw(w->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	event_base_free(w->base);
	free(w);
	return 0;
}

static void
parameters_are_never_sql(void **state)
{
	static const struct {
		const char *sql, *a, *b, *want;
	} cases[] = {
		{ "SELECT 1", NULL, NULL, "1" },
		{ "SELECT $1::text", "x'; DROP TABLE t; --", NULL, "x'; DROP TABLE t; --" },
		{ "SELECT $1::int + $2::int", "40", "2", "42" },
		{ "SELECT NULL", NULL, NULL, "NULL" },
		{ "SELECT 1; SELECT 2", NULL, NULL, "2" },
		{ "SHOW statement_timeout", NULL, NULL, "30s" },
	};
	struct world *w = *state;
	struct fl_pg *pg = pool(w, 2, 0, 0);

	for (size_t i = 0; i < fl_nitems(cases); i++)
		assert_string_equal(query(w, pg, cases[i].sql, cases[i].a, cases[i].b).text, cases[i].want);
	fl_pg_free(pg);
}

static void
what_is_asked_again_is_prepared(void **state)
{
	struct world *w = *state;
	struct fl_pg *pg = pool(w, 1, 0, 0);
	char number[12], next[12];

	for (int i = 0; i < 10; i++) {
		snprintf(number, sizeof(number), "%d", i);
		snprintf(next, sizeof(next), "%d", i + 1);
		assert_string_equal(query(w, pg, "SELECT $1::int + 1", number, NULL).text, next);
		assert_int_equal(query(w, pg, "SELECT 1 / $1::int", "0", NULL).err.kind, FL_ERR_INVALID);
		assert_int_equal(query(w, pg, "SELECT $1::nothing", "0", NULL).err.kind, FL_ERR_SYSTEM);
	}
	assert_string_equal(query(w, pg, "SELECT string_agg(statement, '; ' ORDER BY statement) FROM pg_prepared_statements", NULL, NULL).text,
	    "SELECT $1::int + 1; SELECT 1 / $1::int");
	fl_pg_free(pg);
}

static void
failures_have_a_kind(void **state)
{
	static const struct {
		const char *sql;
		enum fl_err_kind kind;
		const char *says;
	} cases[] = {
		{ "INSERT INTO t VALUES (1, 'a')", FL_ERR_NONE, "" },
		{ "INSERT INTO t VALUES (1, 'b')", FL_ERR_CONFLICT, "duplicate key" },
		{ "INSERT INTO t VALUES (-1, 'b')", FL_ERR_INVALID, "check constraint" },
		{ "SELECT 'x'::int", FL_ERR_INVALID, "invalid input syntax" },
		{ "SELEKT", FL_ERR_SYSTEM, "syntax error" },
		{ "SELECT 1/0; SELECT 1", FL_ERR_INVALID, "division by zero" },
		{ "SELECT pg_terminate_backend(pg_backend_pid())", FL_ERR_UNAVAILABLE, "postgres: " },
		{ "SELECT 1", FL_ERR_NONE, "" }, /* on a new connection */
	};
	struct world *w = *state;
	struct fl_pg *pg = pool(w, 1, 0, 0);

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct result r = query(w, pg, cases[i].sql, NULL, NULL);

		if (r.err.kind != cases[i].kind || strstr(r.err.msg, cases[i].says) == NULL)
			fail_msg("%s: %s", cases[i].sql, r.err.msg);
	}
	fl_pg_free(pg);
}

static void
queries_share_few_connections(void **state)
{
	static const char count[] = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'";
	struct world *w = *state;
	struct fl_pg *pg = pool(w, 2, 0, 0);
	struct result r[20] = { 0 };

	while (strcmp(query(w, pg, count, NULL, NULL).text, "1") != 0)
		; /* those of the test before are still going */
	for (size_t i = 0; i < fl_nitems(r); i++)
		fl_pg_query(pg, count, NULL, 0, on_result, &r[i]);
	for (size_t i = 0; i < fl_nitems(r); i++) {
		assert_true(loop_until(w->base, loop_is_set, &r[i].done));
		assert_in_range(strtol(r[i].text, NULL, 10), 1, 2);
	}
	fl_pg_free(pg);
}

static void
waiting_has_bounds(void **state)
{
	struct world *w = *state;
	struct fl_pg *pg = pool(w, 1, 400, 2);
	struct result r[4] = { 0 };
	int64_t deadline_ms = fl_clock_ms() + 30000;

	w->unknown = true;
	for (size_t i = 0; i < fl_nitems(r); i++)
		fl_pg_query(pg, "SELECT 1", NULL, 0, on_result, &r[i]);
	for (size_t i = 0; i < fl_nitems(r); i++) {
		assert_true(loop_until(w->base, loop_is_set, &r[i].done));
		assert_int_equal(r[i].err.kind, FL_ERR_UNAVAILABLE);
	}
	assert_string_equal(r[0].err.msg, "waited 400 ms for a database connection: the address of postgres is not known yet");
	assert_string_equal(r[3].err.msg, "2 queries wait for the database already");
	/* The pool's next try may be later than one query waits. */
	w->unknown = false;
	do {
		r[0] = query(w, pg, "SELECT 'back'", NULL, NULL);
	} while (r[0].err.kind == FL_ERR_UNAVAILABLE && fl_clock_ms() < deadline_ms);
	assert_string_equal(r[0].err.msg, "");
	fl_pg_free(pg);
}

/* A transaction: what is done in it, and its outcome. */
struct work {
	const char *const *sql;
	bool commit, ended;
	int results, failures;
	struct fl_err end;
	struct fl_pg_tx *tx;
};

static void
on_tx_end(const struct fl_err *err, void *arg)
{
	struct work *k = arg;

	k->ended = true;
	if (err != NULL)
		k->end = *err;
}

static void
on_tx_result(FL_UNUSED const PGresult *res, const struct fl_err *err, void *arg)
{
	struct work *k = arg;

	k->results++;
	k->failures += err != NULL;
	if (k->sql[k->results] == NULL)
		fl_pg_tx_end(k->tx, k->commit, on_tx_end, k);
}

static void
on_begin(struct fl_pg_tx *tx, const struct fl_err *err, void *arg)
{
	struct work *k = arg;

	if (err != NULL) {
		on_tx_end(err, k);
		return;
	}
	k->tx = tx;
	for (size_t i = 0; k->sql[i] != NULL; i++)
		fl_pg_tx_query(tx, k->sql[i], NULL, 0, on_tx_result, k);
}

static void
transactions_are_all_or_nothing(void **state)
{
	static const char *const good[] = { "DELETE FROM t", "INSERT INTO t VALUES (5, 'a')", NULL };
	static const char *const bad[] = { "INSERT INTO t VALUES (6, 'a')", "INSERT INTO t VALUES (6, 'b')", "SELECT 1", NULL };
	static const char *const killed[] = { "INSERT INTO t VALUES (7, 'a')", "SELECT pg_terminate_backend(pg_backend_pid())", "SELECT 1", NULL };
	static const struct {
		const char *const *sql;
		bool commit;
		int failures;
		enum fl_err_kind end;
		const char *left;
	} cases[] = {
		{ good, false, 0, FL_ERR_NONE, "0" },
		{ good, true, 0, FL_ERR_NONE, "5" },
		{ bad, true, 2, FL_ERR_CONFLICT, "5" },
		{ bad, false, 2, FL_ERR_NONE, "5" },
		{ killed, true, 2, FL_ERR_UNAVAILABLE, "5" },
		{ killed, false, 2, FL_ERR_NONE, "5" },
	};
	struct world *w = *state;
	struct fl_pg *pg = pool(w, 1, 0, 0);

	query(w, pg, "DELETE FROM t", NULL, NULL);
	for (size_t i = 0; i < fl_nitems(cases); i++) {
		struct work k = { .sql = cases[i].sql, .commit = cases[i].commit };

		fl_pg_begin(pg, on_begin, &k);
		assert_true(loop_until(w->base, loop_is_set, &k.ended));
		assert_int_equal(k.failures, cases[i].failures);
		assert_int_equal(k.end.kind, cases[i].end);
		assert_string_equal(query(w, pg, "SELECT COALESCE(SUM(id), 0) FROM t", NULL, NULL).text, cases[i].left);
	}
	fl_pg_free(pg);
}

/* What a channel heard. */
struct heard {
	struct fl_buf log;
};

static void
on_notify(const char *payload, void *arg)
{
	struct heard *h = arg;

	fl_buf_addf(&h->log, "%s;", payload != NULL ? payload : "(anew)");
}

static void
await_heard(struct world *w, struct heard *h, const char *want)
{
	if (!loop_until_written(w->base, &h->log, want, 30000))
		fail_msg("heard %s, wanted %s", fl_buf_cstr(&h->log), want);
}

static void
notifications_are_heard_and_their_loss_is_told(void **state)
{
	struct world *w = *state;
	struct fl_pg *pg = pool(w, 1, 20000, 0);
	struct heard a = { 0 }, b = { 0 };

	fl_pg_listen(pg, "a", on_notify, &a);
	await_heard(w, &a, "(anew);");
	fl_pg_listen(pg, "b", on_notify, &b);
	await_heard(w, &b, "(anew);");
	query(w, pg, "SELECT pg_notify('a', $1)", "one", NULL);
	await_heard(w, &a, "one;");
	assert_int_equal(b.log.len, 0);

	server_kill(w);
	server_start(w);
	await_heard(w, &a, "(anew);");
	await_heard(w, &b, "(anew);");
	query(w, pg, "NOTIFY b, 'two'", NULL, NULL);
	await_heard(w, &b, "two;");
	fl_pg_free(pg);
	fl_buf_release(&a.log);
	fl_buf_release(&b.log);
}

static bool
is_asked_enough(void *arg)
{
	const struct world *w = arg;

	return w->asked >= w->awaited;
}

/* The connection to a standby that is then promoted stands. One that stays a standby is not asked ten times a second. */
static void
listening_that_was_refused_is_tried_again_ever_later(void **state)
{
	struct world *w = *state;
	char *signal_path = fl_xasprintf("%s/standby.signal", w->dir);
	struct heard a = { 0 };
	struct fl_pg *pg;
	int64_t since_ms;

	server_kill(w);
	close(open(signal_path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
	server_start(w);
	pg = pool(w, 1, 20000, 0);
	fl_pg_listen(pg, "a", on_notify, &a);
	for (int tries = 0; tries < 100 && strcmp(query(w, pg,
	    "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN %'", NULL, NULL).text, "0") == 0; tries++)
		;
	since_ms = fl_clock_ms();
	w->awaited = w->asked + 4; /* so at least the waits of 200, 400 and 800 ms, each a quarter shorter */
	assert_true(loop_until(w->base, is_asked_enough, w));
	assert_true(fl_clock_ms() - since_ms >= 1050);
	assert_int_equal(a.log.len, 0);
	assert_string_equal(query(w, pg, "SELECT pg_promote()", NULL, NULL).text, "t");
	await_heard(w, &a, "(anew);");
	fl_pg_free(pg);
	fl_buf_release(&a.log);
	free(signal_path);
}

static void
server_that_does_not_answer_is_not_waited_for(void **state)
{
	struct world *w = *state;
	const struct fl_pg_opts opts = { .conninfo = conninfo, .arg = w, .max_conns = 1, .wait_ms = 20000, .answer_ms = 300 };
	struct fl_pg *pg = fl_pg_new(w->base, &opts);
	struct result r;
	pid_t backend = (pid_t)atoi(query(w, pg, "SELECT pg_backend_pid()", NULL, NULL).text);

	assert_int_equal(kill(backend, SIGSTOP), 0);
	r = query(w, pg, "SELECT 1", NULL, NULL);
	assert_int_equal(r.err.kind, FL_ERR_UNAVAILABLE);
	assert_string_equal(r.err.msg, "postgres: no answer within 300 ms");
	assert_string_equal(query(w, pg, "SELECT 2", NULL, NULL).text, "2"); /* by another connection */
	kill(backend, SIGCONT);
	fl_pg_free(pg);
}

/* As while a server starts: it is not there for the first, and for the second it is. */
static void
connection_that_fails_beside_one_that_stands_is_tried_again(void **state)
{
	struct world *w = *state;
	struct result a = { 0 }, b = { 0 };
	struct fl_pg *pg = pool(w, 2, 10000, 0);

	w->wrong = 1;
	fl_pg_query(pg, "SELECT 1", NULL, 0, on_result, &a);
	fl_pg_query(pg, "SELECT 2", NULL, 0, on_result, &b);
	assert_true(loop_until(w->base, loop_is_set, &a.done));
	assert_true(loop_until(w->base, loop_is_set, &b.done));
	assert_int_equal(w->wrong, 0);
	server_kill(w);
	server_start(w);
	query(w, pg, "SELECT 3", NULL, NULL); /* may find the lost connection */
	assert_string_equal(query(w, pg, "SELECT 4", NULL, NULL).text, "4");
	fl_pg_free(pg);
}

/* libpq goes to the next of several addresses with a new socket, which has the old one's number. */
static void
next_address_is_waited_for(void **state)
{
	struct world *w = *state;
	struct fl_pg *pg = pool(w, 1, 2000, 0);

	w->second = true;
	assert_string_equal(query(w, pg, "SELECT 1", NULL, NULL).text, "1");
	w->second = false;
	fl_pg_free(pg);
}

struct freer {
	struct fl_pg *pg;
	bool done;
};

static void
free_pool(FL_UNUSED const PGresult *res, FL_UNUSED const struct fl_err *err, void *arg)
{
	struct freer *f = arg;

	fl_pg_free(f->pg);
	f->done = true;
}

static void
pool_may_be_freed_at_any_time(void **state)
{
	struct world *w = *state;
	struct freer f = { .pg = pool(w, 2, 0, 0) };
	struct result r = { 0 };
	struct work k = { 0 };

	fl_pg_query(f.pg, "SELECT 1", NULL, 0, free_pool, &f); /* by a callback, with others waiting */
	fl_pg_query(f.pg, "SELECT pg_sleep(1000)", NULL, 0, on_result, &r);
	fl_pg_query(f.pg, "SELECT pg_sleep(1000)", NULL, 0, on_result, &r);
	fl_pg_begin(f.pg, on_begin, &k);
	assert_true(loop_until(w->base, loop_is_set, &f.done));
	loop_settle(w->base);
	assert_false(r.done);
	assert_false(k.ended);

	f.pg = pool(w, 2, 0, 0);
	fl_pg_query(f.pg, "SELECT 1", NULL, 0, on_result, &r);
	fl_pg_free(f.pg);
	loop_settle(w->base);
	assert_false(r.done);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parameters_are_never_sql),
		cmocka_unit_test(what_is_asked_again_is_prepared),
		cmocka_unit_test(failures_have_a_kind),
		cmocka_unit_test(queries_share_few_connections),
		cmocka_unit_test(waiting_has_bounds),
		cmocka_unit_test(transactions_are_all_or_nothing),
		cmocka_unit_test(notifications_are_heard_and_their_loss_is_told),
		cmocka_unit_test(listening_that_was_refused_is_tried_again_ever_later),
		cmocka_unit_test(server_that_does_not_answer_is_not_waited_for),
		cmocka_unit_test(connection_that_fails_beside_one_that_stands_is_tried_again),
		cmocka_unit_test(next_address_is_waited_for),
		cmocka_unit_test(pool_may_be_freed_at_any_time),
	};

	if (access(POSTGRES, X_OK) == -1 || getpwnam("postgres") == NULL)
		return SKIPPED;
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
