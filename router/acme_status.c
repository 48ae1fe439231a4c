#include "router/acme_status.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "libflynn/buf.h"
#include "libflynn/clock.h"
#include "libflynn/json.h"

static const char *const state_names[ACME_STATES] = {
	[ACME_WAITING] = "waiting",
	[ACME_ORDERING] = "ordering",
	[ACME_VALID] = "valid",
	[ACME_FAILED] = "failed",
};

void
acme_status_write(const struct acme_status *s, struct fl_buf *b)
{
	struct fl_jsonw w = fl_jsonw(b);
	char time[FL_CLOCK_RFC3339_LEN];

	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_str(&w, "state", state_names[s->state]);
	if (s->failures > 0)
		fl_jsonw_int(&w, "failures", s->failures);
	if (s->next_s > 0) {
		fl_clock_format(s->next_s * 1000000, time);
		fl_jsonw_str(&w, "next_try", time);
	}
	fl_jsonw_str_oe(&w, "error", s->error);
	fl_jsonw_close(&w, '}');
}

static int
take(const struct fl_json *v, struct acme_status *s)
{
	const char *state = fl_json_text(v, "state"), *next = fl_json_str(fl_json_get(v, "next_try"), NULL);
	int64_t failures = fl_json_int(fl_json_get(v, "failures"), 0), us = 0;
	size_t i = 0;

	while (i < ACME_STATES && strcmp(state_names[i], state) != 0)
		i++;
	if (i == ACME_STATES || failures < 0 || failures > INT_MAX || (next != NULL && fl_clock_parse(next, &us) == -1))
		return -1;
	*s = (struct acme_status){ .state = (enum acme_state)i, .failures = (int)failures, .next_s = us / 1000000 };
	snprintf(s->error, sizeof(s->error), "%s", fl_json_text(v, "error"));
	return 0;
}

int
acme_status_parse(const char *text, size_t len, struct acme_status *s)
{
	struct fl_json *v = fl_json_parse(text, len, NULL);
	int ret = v != NULL ? take(v, s) : -1;

	fl_json_free(v);
	return ret;
}
