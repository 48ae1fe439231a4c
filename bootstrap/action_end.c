/*
 * The end of a bootstrap: the claim made good, and the words for the operator.
 */
#include <stdlib.h>

#include "bootstrap/bootstrap.h"
#include "bootstrap/claim.h"
#include "bootstrap/service_call.h"
#include "bootstrap/step.h"
#include "libflynn/err.h"
#include "libflynn/http_client.h"
#include "libflynn/json.h"
#include "libflynn/xmalloc.h"

static void
on_completed(struct step *s, const struct fl_http_result *res, const struct fl_err *err)
{
	struct fl_err why;

	if (err != NULL || fl_http_result_check(res, "complete the claim", &why) == -1) {
		step_fail(s, err != NULL ? err : &why);
		return;
	}
	claim_free(s->bootstrap->claim);
	s->bootstrap->claim = NULL;
	step_done(s, NULL);
}

void
action_complete_claim(struct step *s)
{
	char *url = fl_xasprintf("http://%s/host/claim", s->bootstrap->host_addr);

	s->waiting_for = "flynn-host";
	service_call(s, "PUT", url, NULL, "{\"complete\":true}", on_completed);
	free(url);
}

void
action_log(struct step *s)
{
	step_done(s, fl_json_text(s->spec, "output"));
}
