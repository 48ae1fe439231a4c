#include "host/sockets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/engine.h"
#include "host/job.h"
#include "host/mux.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/json.h"
#include "libflynn/xmalloc.h"

#define EXEC_TIMEOUT_MS 5000
#define STATE_LISTEN 0x0a

struct sockets {
	struct job *job;
	struct fl_http_call *call;
	void (*cb)(struct job *, const char *);
};

/* ---- what the kernel prints ---- */

/* "0100007F" or 32 such digits: the kernel prints each 32-bit word in its own byte order. */
static bool
is_loopback(const char *addr)
{
	static const char mapped[] = "0000000000000000FFFF0000";

	if (strlen(addr) == 8)
		return strcmp(addr + 6, "7F") == 0;
	if (strncmp(addr, mapped, sizeof(mapped) - 1) == 0)
		return strcmp(addr + 30, "7F") == 0;
	return strcmp(addr, "00000000000000000000000001000000") == 0;
}

static bool
is_engine_resolver(const char *addr)
{
	return strcmp(addr, "0B00007F") == 0; /* 127.0.0.11 */
}

static size_t
add_listener(struct sockets_listener *out, size_t n, int port, bool loopback)
{
	for (size_t i = 0; i < n; i++) {
		if (out[i].port != port)
			continue;
		out[i].loopback = out[i].loopback && loopback;
		return n;
	}
	if (n < SOCKETS_MAX)
		out[n++] = (struct sockets_listener){ port, loopback };
	return n;
}

size_t
sockets_parse(const char *text, struct sockets_listener out[SOCKETS_MAX])
{
	size_t n = 0;

	for (const char *line = text; line != NULL && *line != '\0';) {
		char addr[33];
		unsigned port = 0, state = 0;

		if (sscanf(line, " %*u: %32[0-9A-F]:%4x %*[0-9A-F]:%*x %2x", addr, &port, &state) == 3 &&
		    state == STATE_LISTEN && !is_engine_resolver(addr))
			n = add_listener(out, n, (int)port, is_loopback(addr));
		line = strchr(line, '\n');
		if (line != NULL)
			line++;
	}
	return n;
}

bool
sockets_reach(const struct sockets_listener *found, size_t n, int port)
{
	for (size_t i = 0; i < n; i++)
		if (found[i].port == port && !found[i].loopback)
			return true;
	return false;
}

void
sockets_explain(const struct sockets_listener *found, size_t n, const char *what, int port, int timeout_s, struct fl_buf *out)
{
	for (size_t i = 0; i < n; i++) {
		if (found[i].port != port)
			continue;
		if (found[i].loopback)
			fl_buf_addf(out, "%s listens only on 127.0.0.1, so nobody can reach it: listen on 0.0.0.0", what);
		else
			fl_buf_addf(out, "%s listens on port %d, but did not accept a connection within %d s", what, port, timeout_s);
		return;
	}
	if (n == 0) {
		fl_buf_addf(out, "%s did not listen on PORT %d within %d s", what, port, timeout_s);
		return;
	}
	fl_buf_addf(out, "%s listens on ", what);
	for (size_t i = 0; i < n; i++)
		fl_buf_addf(out, "%s%d", i == 0 ? "" : i + 1 < n ? ", " : " and ", found[i].port);
	fl_buf_addf(out, ", but PORT is %d", port);
}

/* ---- asking ---- */

void
sockets_cancel(struct sockets *s)
{
	if (s == NULL)
		return;
	if (s->call != NULL)
		fl_http_call_cancel(s->call);
	free(s);
}

static void
sockets_end(struct sockets *s, const char *text)
{
	struct job *j = s->job;
	void (*cb)(struct job *, const char *) = s->cb;

	j->sockets = NULL;
	sockets_cancel(s);
	cb(j, text);
}

static void
on_output(const struct fl_http_result *res, const struct fl_err *call_err, void *arg)
{
	struct sockets *s = arg;
	struct fl_buf text = { 0 };

	s->call = NULL;
	if (call_err == NULL && res->status == 200)
		mux_text(res->body, res->len, &text);
	sockets_end(s, fl_buf_cstr(&text));
	fl_buf_release(&text);
}

static void
on_exec_made(const struct fl_http_result *res, const struct fl_err *call_err, void *arg)
{
	static const struct engine_call call = {
		.method = "POST", .body = "{\"Detach\":false,\"Tty\":false}", .timeout_ms = EXEC_TIMEOUT_MS
	};
	struct sockets *s = arg;
	struct engine *e = s->job->host->engine;
	struct fl_json *v = NULL;
	const char *id = NULL;

	s->call = NULL;
	if (engine_check(e, res, call_err, "look into the container", NULL) == 0) {
		v = fl_json_parse(res->body, res->len, NULL);
		id = fl_json_str(fl_json_get(v, "Id"), NULL);
	}
	if (id != NULL)
		s->call = engine_start(e, &call, on_output, s, "/exec/%s/start", id);
	else
		sockets_end(s, "");
	fl_json_free(v);
}

struct sockets *
sockets_start(struct job *j, void (*cb)(struct job *, const char *))
{
	static const struct engine_call call = {
		.method = "POST",
		.body = "{\"AttachStdout\":true,\"Cmd\":[\"cat\",\"/proc/net/tcp\",\"/proc/net/tcp6\"]}",
		.timeout_ms = EXEC_TIMEOUT_MS
	};
	struct sockets *s = fl_xcalloc(1, sizeof(*s));

	s->job = j;
	s->cb = cb;
	s->call = engine_start(j->host->engine, &call, on_exec_made, s, "/containers/%s/exec", j->active->container_id);
	return s;
}
