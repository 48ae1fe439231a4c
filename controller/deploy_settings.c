#include "controller/deploy_settings.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/answer.h"
#include "controller/body.h"
#include "controller/deploy_decide.h"
#include "controller/deployments.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/json.h"

#define STRATEGY_MAX 64

static int
read_strategy(struct fl_http_req *req, const struct fl_json *app, const char **strategy)
{
	enum deploy_strategy known;

	if (body_str(req, app, "strategy", STRATEGY_MAX, strategy) == -1)
		return -1;
	if (**strategy == '\0' || deploy_strategy_parse(*strategy, &known) == 0)
		return 0;
	answer_invalid(req, "strategy", "\"%s\" is none of those here: one-by-one, in-batches, all-at-once, one-down-one-up", *strategy);
	return -1;
}

int
deploy_settings_read(struct fl_http_req *req, const struct fl_json *app, char **patch)
{
	const char *strategy = "";
	struct fl_buf b = { 0 };
	struct fl_jsonw w = fl_jsonw(&b);
	struct fl_err err = { 0 };
	int64_t timeout_s = 0;
	char text[16];

	*patch = NULL;
	if (read_strategy(req, app, &strategy) == -1)
		return -1;
	if (fl_json_member_int(app, "deploy_timeout", 0, DEPLOYMENTS_TIMEOUT_MAX_S, &timeout_s, &err) == -1) {
		answer_err(req, "deploy_timeout", &err);
		return -1;
	}
	if (*strategy == '\0' && timeout_s == 0)
		return 0;
	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_str_oe(&w, DEPLOYMENTS_META_STRATEGY, strategy);
	snprintf(text, sizeof(text), "%d", (int)timeout_s);
	fl_jsonw_str_oe(&w, DEPLOYMENTS_META_TIMEOUT, timeout_s > 0 ? text : "");
	fl_jsonw_close(&w, '}');
	*patch = fl_buf_detach(&b);
	return 0;
}

void
deploy_settings_write(struct fl_jsonw *w, const char *meta, size_t len)
{
	struct fl_json *v;
	enum deploy_strategy known;
	const char *strategy;
	int timeout_s;

	if (strstr(meta, "\"deploy.") == NULL) /* as of most apps, thousands of which may be listed */
		return;
	v = fl_json_parse(meta, len, NULL);
	strategy = fl_json_text(v, DEPLOYMENTS_META_STRATEGY);
	timeout_s = atoi(fl_json_text(v, DEPLOYMENTS_META_TIMEOUT));
	if (deploy_strategy_parse(strategy, &known) == 0)
		fl_jsonw_str(w, "strategy", strategy);
	if (timeout_s > 0 && timeout_s <= DEPLOYMENTS_TIMEOUT_MAX_S)
		fl_jsonw_int(w, "deploy_timeout", timeout_s);
	fl_json_free(v);
}
