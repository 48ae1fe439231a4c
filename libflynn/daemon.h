/*
 * daemon - what every daemon does at its start and end.
 */
#ifndef FL_DAEMON_H
#define FL_DAEMON_H

struct event_base;

/* Exit statuses. */
#define FL_EXIT_FAILED 1
#define FL_EXIT_USAGE 2

/*
 * Ignore SIGPIPE, give libevent, libcurl, yajl and OpenSSL the aborting allocator,
 * name the log's component, make the event base. Call first in main().
 */
struct event_base *fl_daemon_init(const char *component);

/*
 * Run the loop until SIGTERM or SIGINT. On the first, stop(arg) is called once: it
 * stops accepting and ends the loop (event_base_loopexit) when drained; the loop ends
 * anyway after drain_s seconds, or at once on a second signal.
 */
void fl_daemon_run(struct event_base *base, int drain_s, void (*stop)(void *), void *arg);

/* Release base and global library state, so that leak checkers stay quiet. */
void fl_daemon_free(struct event_base *base);

#endif
