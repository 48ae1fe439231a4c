#include "gitreceive/repository.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "gitreceive/cluster.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/http_server.h"
#include "libflynn/server_test.h"
#include "libflynn/xmalloc.h"

#define KEY "sesame"
#define LISTED "11111111-0000-0000-0000-000000000000"
#define UNLISTED "22222222-0000-0000-0000-000000000000"
#define DELETED "33333333-0000-0000-0000-000000000000"

/* A controller in a process of its own, for what is tested waits for it. */
static void
get_apps(struct fl_http_req *req, void *list)
{
	struct fl_buf b = { 0 };

	if (list == NULL) {
		fl_http_reply_err(req, &(struct fl_err){ .kind = FL_ERR_UNAVAILABLE, .msg = "no database" });
		return;
	}
	fl_buf_addstr(&b, list);
	fl_http_reply_json(req, 200, &b);
	fl_buf_release(&b);
}

static void
get_app(struct fl_http_req *req, FL_UNUSED void *list)
{
	struct fl_buf b = { 0 };

	if (strcmp(fl_http_param(req, "app"), DELETED) == 0) {
		fl_http_reply_err(req, &(struct fl_err){ .kind = FL_ERR_NOT_FOUND, .msg = "app not found" });
		return;
	}
	fl_buf_addstr(&b, "{}");
	fl_http_reply_json(req, 200, &b);
	fl_buf_release(&b);
}

static pid_t
controller_start(const char *list, char addr[32])
{
	static const struct fl_http_route routes[] = { { "GET", "/apps", get_apps, 0 }, { "GET", "/apps/:app", get_app, 0 } };
	int port;
	pid_t pid = server_start(KEY, routes, fl_nitems(routes), (void *)list, &port);

	snprintf(addr, 32, "127.0.0.1:%d", port);
	return pid;
}

static char *
in(const char *dir, const char *id, const char *rest)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s%s", dir, id, rest);
	return path;
}

static void
make(const char *dir, const char *id)
{
	int fd = open(in(dir, id, ".git.lock"), O_CREAT | O_RDWR, 0600);

	assert_int_not_equal(fd, -1);
	close(fd);
	assert_int_equal(mkdir(in(dir, id, ".git"), 0700), 0);
	assert_int_equal(mkdir(in(dir, id, ".git/objects"), 0700), 0);
	fd = open(in(dir, id, ".git/objects/pack"), O_CREAT | O_RDWR, 0400);
	assert_int_not_equal(fd, -1);
	close(fd);
}

static void
unmake(const char *dir, const char *id)
{
	unlink(in(dir, id, ".git/objects/pack"));
	rmdir(in(dir, id, ".git/objects"));
	rmdir(in(dir, id, ".git"));
	unlink(in(dir, id, ".git.lock"));
}

static bool
is_there(const char *dir, const char *id)
{
	bool lock = access(in(dir, id, ".git.lock"), F_OK) == 0;

	assert_int_equal(access(in(dir, id, ".git/objects/pack"), F_OK) == 0, lock);
	return lock;
}

static void
only_what_the_controller_does_not_know_is_removed(FL_UNUSED void **state)
{
	static const struct {
		const char *list; /* NULL: there is no answer */
		bool locked, stays;
	} cases[] = {
		{ "[{\"id\":\"" LISTED "\"}]", false, false },
		{ "[{\"id\":\"" LISTED "\"}]", true, true },
		{ "[{\"id\":\"" LISTED "\"},{\"id\":\"" DELETED "\"}]", false, true },
		{ "[]", false, true },
		{ "{}", false, true },
		{ "{\"id\":\"" LISTED "\"}", false, true },
		{ NULL, false, true },
	};

	for (size_t i = 0; i < fl_nitems(cases); i++) {
		char dir[] = "/tmp/repository_test.XXXXXX", addr[32];
		struct cluster c = { .controller = addr, .controller_key = KEY, .repos = mkdtemp(dir) };
		pid_t pid = controller_start(cases[i].list, addr);
		int fd = -1;

		make(dir, LISTED);
		make(dir, UNLISTED);
		make(dir, DELETED);
		if (cases[i].locked)
			assert_int_not_equal(fd = repository_lock(in(dir, DELETED, ".git"), "x", NULL), -1);
		repository_remove_deleted(&c);
		assert_true(is_there(dir, LISTED));
		assert_true(is_there(dir, UNLISTED));
		assert_int_equal(is_there(dir, DELETED), cases[i].stays);
		if (fd != -1)
			close(fd);
		server_stop(pid);
		unmake(dir, LISTED);
		unmake(dir, UNLISTED);
		unmake(dir, DELETED);
		assert_int_equal(rmdir(dir), 0);
	}
}

static void
nothing_is_removed_when_nobody_can_be_asked(FL_UNUSED void **state)
{
	char dir[] = "/tmp/repository_test.XXXXXX";
	struct cluster c = { .controller = NULL, .controller_key = KEY, .repos = mkdtemp(dir) };

	make(dir, DELETED);
	repository_remove_deleted(&c);
	c.controller = "127.0.0.1:1";
	repository_remove_deleted(&c);
	assert_true(is_there(dir, DELETED));
	unmake(dir, DELETED);
	rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_the_controller_does_not_know_is_removed),
		cmocka_unit_test(nothing_is_removed_when_nobody_can_be_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
