#include <stdbool.h>
#include <stdlib.h>

#include "bootstrap/app.h"
#include "bootstrap/service_call.h"
#include "bootstrap/step.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/http_client.h"
#include "libflynn/json.h"
#include "libflynn/xmalloc.h"

struct provisioning {
	struct app *app;
	size_t next; /* resource under way */
	void (*done)(struct step *s);
};

/* Whether the release itself or one of the first n resources sets the variable. */
static bool
is_set(const struct app *a, size_t n, const char *name)
{
	if (!fl_json_is_null(fl_json_get(fl_json_get(a->release, "env"), name)))
		return true;
	for (size_t i = 0; i < n; i++)
		if (!fl_json_is_null(fl_json_get(a->resources[i].env, name)))
			return true;
	return false;
}

/* The release's own environment wins over what resources say, and the first of these over the next. */
static void
write_env(struct fl_jsonw *w, const struct app *a)
{
	const struct fl_json *own = fl_json_get(a->release, "env");

	for (size_t i = 0; i < fl_json_len(own); i++)
		if (!fl_json_is_null(fl_json_at(own, i)))
			fl_jsonw_value(w, fl_json_key_at(own, i), fl_json_at(own, i));
	for (size_t r = 0; r < a->n_resources; r++) {
		const struct fl_json *env = a->resources[r].env;

		for (size_t i = 0; i < fl_json_len(env); i++)
			if (!is_set(a, r, fl_json_key_at(env, i)) && !fl_json_is_null(fl_json_at(env, i)))
				fl_jsonw_value(w, fl_json_key_at(env, i), fl_json_at(env, i));
	}
}

static void
merge_env(struct app *a)
{
	struct fl_buf text = { 0 };
	struct fl_jsonw w = fl_jsonw(&text);

	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_value(&w, "id", fl_json_get(a->release, "id"));
	fl_jsonw_open(&w, "env", '{');
	write_env(&w, a);
	fl_jsonw_close(&w, '}');
	fl_jsonw_value(&w, "processes", fl_json_get(a->release, "processes"));
	fl_jsonw_close(&w, '}');
	fl_json_free(a->release);
	a->release = fl_json_parse(text.data, text.len, NULL);
	fl_buf_release(&text);
}

static void provision_next(struct step *s);

static void
on_provisioned(struct step *s, const struct fl_http_result *res, const struct fl_err *err)
{
	struct provisioning *p = s->work;
	struct app_resource *r = &p->app->resources[p->next];
	struct fl_json *answer = NULL;
	struct fl_err why;

	if (err != NULL)
		why = *err;
	else if (fl_http_result_check(res, "its answer", &why) == 0)
		answer = fl_json_parse(res->body, res->len, &why);
	if (answer == NULL) {
		fl_err_wrap(&why, "resource %s from %s", r->provider, r->url);
		step_fail(s, &why);
		return;
	}
	r->external_id = fl_xstrdup(fl_json_text(answer, "id"));
	r->env = fl_json_dup(fl_json_get(answer, "env"));
	fl_json_free(answer);
	p->next++;
	provision_next(s);
}

static void
provision_next(struct step *s)
{
	struct provisioning *p = s->work;
	void (*done)(struct step *) = p->done;

	if (p->next < p->app->n_resources) {
		s->waiting_for = "a resource provider";
		service_call(s, "POST", p->app->resources[p->next].url, NULL, "{}", on_provisioned);
		return;
	}
	merge_env(p->app);
	free(p);
	s->work = NULL;
	s->work_free = NULL;
	done(s);
}

void
app_provision(struct step *s, struct app *a, void (*done)(struct step *s))
{
	struct provisioning *p = fl_xcalloc(1, sizeof(*p));

	p->app = a;
	p->done = done;
	s->work = p;
	s->work_free = free;
	provision_next(s);
}
