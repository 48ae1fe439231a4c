#include "libflynn/args.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "libflynn/attr.h"
#include "libflynn/err.h"

struct config {
	char *addr;
	int ttl_s;
	bool force;
	struct fl_args_list peers;
	char *key;
};

static const struct fl_args_opt options[] = {
	{ "http-addr", "T_ADDR", "127.0.0.1:1111", FL_ARGS_STR, offsetof(struct config, addr), "ip:port of the API" },
	{ "ttl", "T_TTL", "10", FL_ARGS_INT, offsetof(struct config, ttl_s), "seconds an instance outlives its heartbeat" },
	{ "force", "T_FORCE", NULL, FL_ARGS_BOOL, offsetof(struct config, force), "claim again" },
	{ "peer", "T_PEERS", "a,b", FL_ARGS_LIST, offsetof(struct config, peers), "other hosts" },
	{ NULL, "T_KEY", NULL, FL_ARGS_STR, offsetof(struct config, key), "the cluster key" },
	{ 0 },
};

enum { ARGS_MAX = 8 };

static int
count(char *const *argv)
{
	int n = 0;

	while (n < ARGS_MAX && argv[n] != NULL)
		n++;
	return n;
}

static int
clear_env(FL_UNUSED void **state)
{
	for (const struct fl_args_opt *o = options; o->env != NULL; o++)
		unsetenv(o->env);
	return 0;
}

static void
defaults_hold_where_nothing_is_given(FL_UNUSED void **state)
{
	char *argv[] = { (char *)"d", NULL };
	struct config c;

	memset(&c, 0xff, sizeof(c)); /* parse fills it whole */
	assert_int_equal(fl_args_parse(options, &c, 1, argv, NULL, NULL), 0);
	assert_string_equal(c.addr, "127.0.0.1:1111");
	assert_int_equal(c.ttl_s, 10);
	assert_false(c.force);
	assert_int_equal(c.peers.n, 2);
	assert_string_equal(c.peers.items[1], "b");
	assert_null(c.key);
	fl_args_release(options, &c, NULL);
	assert_null(c.addr);
}

static void
environment_beats_default_and_flag_beats_both(FL_UNUSED void **state)
{
	char *argv[] = { (char *)"d", (char *)"--ttl=7", (char *)"-peer", (char *)"z", (char *)"-peer=y,x", NULL };
	struct config c;

	setenv("T_ADDR", ":99", 1);
	setenv("T_TTL", "8", 1);
	setenv("T_FORCE", "yes", 1);
	setenv("T_PEERS", "c,,d,", 1);
	setenv("T_KEY", "k", 1);
	assert_int_equal(fl_args_parse(options, &c, 1, argv, NULL, NULL), 0);
	assert_string_equal(c.addr, ":99");
	assert_int_equal(c.ttl_s, 8);
	assert_true(c.force);
	assert_int_equal(c.peers.n, 2);
	assert_string_equal(c.peers.items[1], "d");
	assert_string_equal(c.key, "k");
	fl_args_release(options, &c, NULL);

	assert_int_equal(fl_args_parse(options, &c, count(argv), argv, NULL, NULL), 0);
	assert_int_equal(c.ttl_s, 7);
	assert_int_equal(c.peers.n, 2);
	assert_string_equal(c.peers.items[0], "z");
	assert_string_equal(c.peers.items[1], "y,x");
	fl_args_release(options, &c, NULL);
}

static void
an_empty_variable_is_not_set(FL_UNUSED void **state)
{
	char *argv[] = { (char *)"d", NULL };
	struct config c;

	setenv("T_TTL", "", 1);
	assert_int_equal(fl_args_parse(options, &c, 1, argv, NULL, NULL), 0);
	assert_int_equal(c.ttl_s, 10);
	fl_args_release(options, &c, NULL);
}

static void
words_are_left_to_who_wants_them(FL_UNUSED void **state)
{
	char *argv[] = { (char *)"d", (char *)"hook", (char *)"-force=no", (char *)"-", (char *)"--", (char *)"-ttl", NULL };
	struct fl_args_list rest;
	struct config c;
	struct fl_err err = { 0 };

	assert_int_equal(fl_args_parse(options, &c, count(argv), argv, &rest, NULL), 0);
	assert_int_equal(rest.n, 3);
	assert_ptr_equal(rest.items[0], argv[1]);
	assert_string_equal(rest.items[1], "-");
	assert_string_equal(rest.items[2], "-ttl");
	assert_false(c.force);
	fl_args_release(options, &c, &rest);

	assert_int_equal(fl_args_parse(options, &c, count(argv), argv, NULL, &err), -1);
	assert_string_equal(err.msg, "unexpected argument \"hook\" (-h prints usage)");
	fl_args_release(options, &c, NULL);
}

static void
bad_input_gets_a_sentence(FL_UNUSED void **state)
{
	static const struct {
		const char *words[3];
		const char *env, *value, *want;
	} cases[] = {
		{ { "-nope" }, NULL, NULL, "unknown flag -nope (-h lists them)" },
		{ { "--nope=3" }, NULL, NULL, "unknown flag -nope (-h lists them)" },
		{ { "-ttl" }, NULL, NULL, "flag -ttl needs a value" },
		{ { "-ttl", "ten" }, NULL, NULL, "-ttl: \"ten\" is not a number" },
		{ { "-ttl=" }, NULL, NULL, "-ttl: \"\" is not a number" },
		{ { "-ttl", "99999999999" }, NULL, NULL, "-ttl: 99999999999 is out of range" },
		{ { "-force=maybe" }, NULL, NULL, "-force: \"maybe\" is neither true nor false" },
		{ { "-T_KEY=x" }, NULL, NULL, "unknown flag -T_KEY (-h lists them)" },
		{ { NULL }, "T_TTL", "1s", "T_TTL: \"1s\" is not a number" },
		{ { NULL }, "T_FORCE", "2", "T_FORCE: \"2\" is neither true nor false" },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		char *argv[] = { (char *)"d", (char *)cases[i].words[0], (char *)cases[i].words[1], NULL };
		struct fl_err err = { 0 };
		struct config c;

		clear_env(NULL);
		if (cases[i].env != NULL)
			setenv(cases[i].env, cases[i].value, 1);
		assert_int_equal(fl_args_parse(options, &c, count(argv), argv, NULL, &err), -1);
		assert_int_equal(err.kind, FL_ERR_INVALID);
		assert_string_equal(err.msg, cases[i].want);
		fl_args_release(options, &c, NULL);
	}
}

/* What a program with these options prints for one flag, and that it ends well. */
static void
output_of(const char *flag, char *out, size_t size)
{
	char *argv[] = { (char *)"/usr/bin/flynn-d", (char *)flag, NULL };
	struct config c;
	int fds[2], status = -1;
	size_t used = 0;
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	fflush(stdout);
	if ((pid = fork()) == 0) {
		dup2(fds[1], STDOUT_FILENO);
		fl_args_parse(options, &c, 2, argv, NULL, NULL);
		_exit(99);
	}
	close(fds[1]);
	while ((n = read(fds[0], out + used, size - 1 - used)) > 0)
		used += (size_t)n;
	out[used] = '\0';
	close(fds[0]);
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
}

static void
usage_is_aligned(FL_UNUSED void **state)
{
	char out[2048];

	output_of("-h", out, sizeof(out));
	assert_string_equal(out,
	    "usage: flynn-d [flags]\n"
	    "\n"
	    "  FLAG              VARIABLE  A flag beats its environment variable.\n"
	    "  -http-addr VALUE  T_ADDR    ip:port of the API (default 127.0.0.1:1111)\n"
	    "  -ttl N            T_TTL     seconds an instance outlives its heartbeat (default 10)\n"
	    "  -force            T_FORCE   claim again\n"
	    "  -peer VALUE...    T_PEERS   other hosts (default a,b)\n"
	    "                    T_KEY     the cluster key\n"
	    "  -h                          print this and exit\n"
	    "  -version                    print the version and exit\n");
}

static void
the_version_names_the_program(FL_UNUSED void **state)
{
	char out[128];

	output_of("--version", out, sizeof(out));
	assert_string_equal(out, "flynn-d " FL_VERSION "\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(defaults_hold_where_nothing_is_given, clear_env),
		cmocka_unit_test_setup(environment_beats_default_and_flag_beats_both, clear_env),
		cmocka_unit_test_setup(an_empty_variable_is_not_set, clear_env),
		cmocka_unit_test_setup(words_are_left_to_who_wants_them, clear_env),
		cmocka_unit_test(bad_input_gets_a_sentence),
		cmocka_unit_test_setup(usage_is_aligned, clear_env),
		cmocka_unit_test_setup(the_version_names_the_program, clear_env),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
