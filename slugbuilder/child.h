/*
 * child - run a program of a stranger as an unprivileged user, and wait for its end.
 *
 * The program leads a session of its own, and whatever it leaves behind is killed with
 * it, so nothing of one step runs during the next. libflynn's proc serves event loops and
 * keeps our rights; a build is one step after the other and must not.
 */
#ifndef SLUGBUILDER_CHILD_H
#define SLUGBUILDER_CHILD_H

#include <stddef.h>

struct fl_buf;
struct fl_err;
struct output;
struct user;

struct child {
	const char *const *argv; /* ends with NULL; argv[0] is a path, or found in env's PATH */
	char *const *env;	 /* ends with NULL; all that it gets */
	const char *dir;
	const struct user *user;
	int timeout_s;
	struct fl_buf *answer; /* its stdout, when set; else stdout is relayed like stderr */
	size_t answer_max;     /* more than this is an error */
};

/* To be called once, before the first run: adopt orphans, die of SIGTERM and SIGINT with the children. */
int child_init(struct fl_err *err);
/*
 * Run it to its end, with /dev/null as stdin. Returns the exit status, or 128 plus the killing
 * signal; -1 with TIMEOUT, TOO_BIG or SYSTEM and nothing running.
 */
int child_run(const struct child *c, const struct output *out, struct fl_err *err);

#endif
