#include <event2/event.h>
#include <stdlib.h>

#include "bootstrap/bootstrap.h"
#include "bootstrap/service_call.h"
#include "bootstrap/step.h"
#include "libflynn/clock.h"
#include "libflynn/err.h"
#include "libflynn/http_client.h"
#include "libflynn/json.h"
#include "libflynn/retry.h"
#include "libflynn/xmalloc.h"

#define WAIT_MS 60000

/* A URL asked again until it answers with the wanted status. */
struct waiting {
	struct step *step;
	struct fl_retry retry;
	const char *url;
	int64_t status, until;
};

static void ask(void *arg);

static void
waiting_free(void *arg)
{
	struct waiting *w = arg;

	fl_retry_release(&w->retry);
	free(w);
}

static void
on_answer(struct step *s, const struct fl_http_result *res, const struct fl_err *err)
{
	struct waiting *w = s->work;
	struct fl_err why;

	if (err == NULL && res->status == w->status) {
		step_done(s, NULL);
	} else if (fl_clock_ms() < w->until) {
		fl_retry_wait(&w->retry);
	} else {
		if (err == NULL)
			fl_err_set(&why, FL_ERR_TIMEOUT, "%s answered %d, not %d, for %d s", w->url, res->status,
			    (int)w->status, WAIT_MS / 1000);
		step_fail(s, err != NULL ? err : &why);
	}
}

static void
ask(void *arg)
{
	struct waiting *w = arg;

	/* No key: what is waited for may be that the service refuses us. */
	service_call(w->step, "GET", w->url, "", NULL, on_answer);
}

void
action_wait(struct step *s)
{
	struct waiting *w = fl_xcalloc(1, sizeof(*w));
	struct fl_err err;

	s->work = w;
	s->work_free = waiting_free;
	s->waiting_for = "the wanted status";
	*w = (struct waiting){ .step = s, .status = 200, .until = fl_clock_ms() + WAIT_MS };
	fl_retry_init(&w->retry, s->bootstrap->base, 50, 500, ask, w);
	if (fl_json_member_str(s->spec, "url", &w->url, &err) == -1 ||
	    fl_json_member_int(s->spec, "status", 100, 599, &w->status, &err) == -1) {
		step_fail(s, &err);
	} else if (w->url == NULL) {
		fl_err_set(&err, FL_ERR_INVALID, "wait needs a url");
		step_fail(s, &err);
	} else {
		ask(w);
	}
}
