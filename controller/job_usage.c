#include "controller/job_usage.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "controller/answer.h"
#include "controller/controller.h"
#include "controller/hosts.h"
#include "controller/jobs.h"
#include "controller/row.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/http_client.h"
#include "libflynn/http_server.h"
#include "libflynn/job.h"
#include "libflynn/json.h"
#include "libflynn/map.h"
#include "libflynn/pg.h"
#include "libflynn/xmalloc.h"

#define HOST_MS 3000

enum { VERSION = JOBS_N_COLUMNS, IS_LIVE, HOST_ID };

/* One job of the list: its JSON so far, an open object. */
struct entry {
	char *id;
	struct fl_buf text;
	struct fl_jsonw w;
};

struct listing {
	struct controller *c;
	struct fl_http_req *req;
	struct entry *entries;
	size_t n, n_calls; /* calls of hosts under way */
	struct fl_map *usage; /* job id -> what its host says of it, of the trees in answers */
	struct fl_json **answers;
	size_t n_answers;
};

static void
listing_free(struct listing *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->entries[i].id);
		fl_buf_release(&l->entries[i].text);
	}
	for (size_t i = 0; i < l->n_answers; i++)
		fl_json_free(l->answers[i]);
	fl_map_free(l->usage);
	free(l->entries);
	free(l->answers);
	free(l);
}

static void
listing_end(struct listing *l)
{
	struct fl_buf b = { 0 };
	struct fl_jsonw w = fl_jsonw(&b);

	fl_jsonw_open(&w, NULL, '[');
	for (size_t i = 0; i < l->n; i++) {
		struct entry *e = &l->entries[i];
		const struct fl_json *usage = fl_map_get(l->usage, e->id);

		for (size_t k = 0; k < fl_json_len(usage); k++)
			fl_jsonw_value(&e->w, fl_json_key_at(usage, k), fl_json_at(usage, k));
		fl_jsonw_close(&e->w, '}');
		fl_jsonw_raw(&w, NULL, fl_buf_cstr(&e->text));
	}
	fl_jsonw_close(&w, ']');
	answer_json(l->req, &b);
	listing_free(l);
}

static void
on_usage(const struct fl_http_result *res, const struct fl_err *err, void *arg)
{
	struct listing *l = arg;
	struct fl_json *v = err == NULL && res->status == 200 ? fl_json_parse(res->body, res->len, NULL) : NULL;

	if (v != NULL) {
		l->answers = fl_xreallocarray(l->answers, l->n_answers + 1, sizeof(*l->answers));
		l->answers[l->n_answers++] = v;
	}
	for (size_t i = 0; i < fl_json_len(v); i++)
		if (fl_json_type(fl_json_at(v, i)) == FL_JSON_OBJECT)
			fl_map_set(l->usage, fl_json_key_at(v, i), (void *)fl_json_at(v, i));
	if (--l->n_calls == 0)
		listing_end(l);
}

static void
ask_host(struct listing *l, const char *host_id, const char *app)
{
	const char *addr = hosts_addr(l->c, host_id, NULL);
	struct fl_http_call_opts opts = { .timeout_ms = HOST_MS, .connect_timeout_ms = HOST_MS };
	char *url;

	if (addr == NULL)
		return;
	url = fl_xasprintf("http://%s/host/usage?app=%s", addr, app);
	opts.url = url;
	l->n_calls++;
	fl_http_client_start(l->c->client, &opts, on_usage, l);
	free(url);
}

/* Each host that has one that lives, once. */
static void
ask_hosts(struct listing *l, const PGresult *res)
{
	struct fl_map *asked = fl_map_new();
	char app[FL_UUID_LEN + 1];

	for (int i = 0; i < PQntuples(res); i++) {
		const char *host = fl_pg_str(res, i, HOST_ID, "");

		if (!row_bool(res, i, IS_LIVE) || fl_map_get(asked, host) != NULL)
			continue;
		fl_map_set(asked, host, l);
		row_get_id(res, i, 1, app);
		ask_host(l, host, app);
	}
	fl_map_free(asked);
}

static void
read_entry(struct entry *e, const PGresult *res, int row)
{
	e->id = fl_xstrdup(fl_pg_str(res, row, 0, ""));
	e->w = fl_jsonw(&e->text);
	fl_jsonw_open(&e->w, NULL, '{');
	jobs_write_members(&e->w, res, row);
	row_str(&e->w, "host_id", res, row, HOST_ID);
	row_int(&e->w, "version", res, row, VERSION);
}

static void
on_jobs(const PGresult *res, const struct fl_err *err, void *arg)
{
	struct listing *l = arg;

	if (err != NULL || PQntuples(res) == 0) {
		if (err != NULL)
			answer_err(l->req, NULL, err);
		else
			answer_not_found(l->req);
		listing_free(l);
		return;
	}
	l->entries = fl_xcalloc((size_t)PQntuples(res), sizeof(*l->entries));
	for (int i = 0; i < PQntuples(res); i++)
		if (!row_is_null(res, i, 0))
			read_entry(&l->entries[l->n++], res, i);
	ask_hosts(l, res);
	if (l->n_calls == 0)
		listing_end(l);
}

void
job_usage_list(struct fl_http_req *req, void *arg)
{
	struct controller *c = arg;
	struct listing *l = fl_xcalloc(1, sizeof(*l));

	l->c = c;
	l->req = req;
	l->usage = fl_map_new();
	fl_pg_query(c->pg, JOBS_OF_APP(", (SELECT version FROM app_releases v WHERE v.app_id = j.app_id AND v.release_id = j.release_id),"
				       " j.state IN " JOBS_LIVE ", j.host_id"),
	    (const char *[]){ fl_http_param(req, "app") }, 1, on_jobs, l);
}
