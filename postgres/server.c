#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libflynn/attr.h"
#include "libflynn/err.h"
#include "libflynn/log.h"
#include "libflynn/proc.h"
#include "libflynn/xmalloc.h"
#include "postgres/postgres.h"
#include "postgres/server.h"

struct server {
	struct event_base *base;
	const struct postgres_config *cfg;
	const struct server_ops *ops;
	void *arg;
	struct fl_proc *proc; /* rm, initdb or postgres: one at a time */
	char *pgdata, *fresh; /* the data directory, and where initdb makes it */
	bool stopping;
};

/* TCP is for roles with passwords; the superuser is who may open the socket under his own name. */
static const char hba[] =
    "local all postgres peer\n"
    "host all postgres all reject\n"
    "host postgres,template0,template1 all all reject\n"
    "host all all all scram-sha-256\n";

static void
server_end(struct server *s, const struct fl_err *err)
{
	s->ops->on_ended(err, s->arg);
}

static struct fl_proc *
server_run(struct server *s, const char *const argv[], fl_proc_cb cb, struct fl_err *err)
{
	struct fl_proc_opts opts = { .argv = argv, .stdio = { -1, -1, -1 } };

	return fl_proc_start(s->base, &opts, cb, s, err);
}

static void
on_server_exited(int status, void *arg)
{
	struct server *s = arg;
	struct fl_err err;

	s->proc = NULL;
	if (s->stopping) {
		server_end(s, NULL);
		return;
	}
	fl_err_set(&err, FL_ERR_UNAVAILABLE, "postgres ended with status %d: see its log above", status);
	server_end(s, &err);
}

/* Written beside and renamed, as everything that another program reads. */
static int
write_hba(const struct server *s, struct fl_err *err)
{
	char *path = fl_xasprintf("%s/pg_hba.conf", s->pgdata), *beside = fl_xasprintf("%s.new", path);
	FILE *f = fopen(beside, "we");
	int r = 0;

	if (f == NULL || fputs(hba, f) == EOF || fflush(f) == EOF || fsync(fileno(f)) == -1)
		r = fl_err_sys(err, "write %s", beside);
	if (f != NULL && fclose(f) == EOF && r == 0)
		r = fl_err_sys(err, "write %s", beside);
	if (r == 0 && rename(beside, path) == -1)
		r = fl_err_sys(err, "rename %s", beside);
	free(path);
	free(beside);
	return r;
}

static void
start_postgres(struct server *s)
{
	char *port = fl_xasprintf("port=%d", s->cfg->port);
	char *sockets = fl_xasprintf("unix_socket_directories=%s", s->cfg->socket_dir);
	const char *argv[] = {
		"postgres", "-D", s->pgdata, "-c", port, "-c", sockets,
		"-c", "listen_addresses=*",
		"-c", "shared_buffers=32MB",
		"-c", "max_wal_size=256MB",
		"-c", "password_encryption=scram-sha-256",
		/* Statements that make roles carry passwords: errors are logged without them. */
		"-c", "log_min_error_statement=panic",
		"-c", "logging_collector=off",
		NULL
	};
	struct fl_err err;

	if (write_hba(s, &err) == -1 || (s->proc = server_run(s, argv, on_server_exited, &err)) == NULL)
		server_end(s, &err);
	else
		s->ops->on_started(s->arg);
	free(port);
	free(sockets);
}

/* initdb has synced what is in it; the rename itself must last, too, before there is a database to lose. */
static int
put_in_place(const struct server *s, struct fl_err *err)
{
	int dir = open(s->cfg->data, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;

	if (dir == -1 || rename(s->fresh, s->pgdata) == -1 || fsync(dir) == -1)
		r = fl_err_sys(err, "rename %s", s->fresh);
	if (dir != -1)
		close(dir);
	return r;
}

static void
on_initialised(int status, void *arg)
{
	struct server *s = arg;
	struct fl_err err;

	s->proc = NULL;
	if (s->stopping) {
		server_end(s, NULL);
		return;
	}
	if (status != 0) {
		fl_err_set(&err, FL_ERR_SYSTEM, "initdb ended with status %d: see its output above", status);
		server_end(s, &err);
	} else if (put_in_place(s, &err) == -1) {
		server_end(s, &err);
	} else {
		fl_log_info("data directory made", fl_str("path", s->pgdata));
		start_postgres(s);
	}
}

static void
on_removed(int status, void *arg)
{
	struct server *s = arg;
	const char *argv[] = {
		"initdb", "-D", s->fresh, "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8",
		"--auth-local=peer", "--auth-host=scram-sha-256", NULL
	};
	struct fl_err err;

	s->proc = NULL;
	if (s->stopping) {
		server_end(s, NULL);
		return;
	}
	if (status != 0)
		fl_err_set(&err, FL_ERR_SYSTEM, "cannot remove %s, left by an initdb that was cut short", s->fresh);
	else if ((s->proc = server_run(s, argv, on_initialised, &err)) != NULL)
		return;
	server_end(s, &err);
}

static void
begin(FL_UNUSED evutil_socket_t fd, FL_UNUSED short what, void *arg)
{
	struct server *s = arg;
	const char *argv[] = { "rm", "-rf", s->fresh, NULL };
	char *version = fl_xasprintf("%s/PG_VERSION", s->pgdata);
	struct fl_err err;

	if (access(version, F_OK) == 0)
		start_postgres(s);
	else if ((s->proc = server_run(s, argv, on_removed, &err)) == NULL)
		server_end(s, &err);
	free(version);
}

struct server *
server_start(struct event_base *base, const struct postgres_config *cfg, const struct server_ops *ops, void *arg)
{
	struct server *s = fl_xcalloc(1, sizeof(*s));
	struct timeval now = { 0, 0 };

	*s = (struct server){ .base = base, .cfg = cfg, .ops = ops, .arg = arg };
	s->pgdata = fl_xasprintf("%s/15", cfg->data);
	s->fresh = fl_xasprintf("%s/15.new", cfg->data);
	event_base_once(base, -1, EV_TIMEOUT, begin, s, &now);
	return s;
}

void
server_stop(struct server *s)
{
	if (s->stopping)
		return;
	s->stopping = true;
	if (s->proc != NULL)
		fl_proc_kill(s->proc, SIGINT);
	else
		server_end(s, NULL);
}

void
server_free(struct server *s)
{
	if (s == NULL)
		return;
	fl_proc_free(s->proc);
	free(s->pgdata);
	free(s->fresh);
	free(s);
}
