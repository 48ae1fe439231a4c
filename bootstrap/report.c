#include <stdio.h>
#include <time.h>

#include "bootstrap/bootstrap.h"
#include "bootstrap/report.h"
#include "bootstrap/step.h"
#include "libflynn/buf.h"
#include "libflynn/clock.h"
#include "libflynn/json.h"

static void
report_json(const struct step *s, const char *state, const char *message, const char *error)
{
	char ts[FL_CLOCK_RFC3339_LEN];
	struct fl_buf b = { 0 };
	struct fl_jsonw w = fl_jsonw(&b);

	fl_clock_format(fl_clock_wall_us(), ts);
	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_str(&w, "id", s->id);
	fl_jsonw_str(&w, "action", s->action->name);
	fl_jsonw_str_oe(&w, "data", message);
	fl_jsonw_str(&w, "state", state);
	fl_jsonw_str_oe(&w, "error", error);
	fl_jsonw_str(&w, "ts", ts);
	fl_jsonw_close(&w, '}');
	printf("%s\n", fl_buf_cstr(&b));
	fflush(stdout);
	fl_buf_release(&b);
}

void
report_step(const struct step *s, const char *state, const char *message, const char *error)
{
	int64_t now = fl_clock_wall_us();
	time_t seconds = (time_t)(now / 1000000);
	struct tm tm;

	if (s->bootstrap->cfg->json) {
		report_json(s, state, message, error);
		return;
	}
	if (s->state == STEP_DONE && message == NULL)
		return; /* the line of its start said all */
	localtime_r(&seconds, &tm);
	fprintf(stderr, "%02d:%02d:%02d.%06d %s %s%s%s\n", tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(now % 1000000),
	    s->action->name, s->id, error != NULL ? " error: " : message != NULL ? " " : "",
	    error != NULL ? error : message != NULL ? message : "");
}
