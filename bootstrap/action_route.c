/*
 * add-route: a route of an app, through the controller, with the certificate of another step.
 */
#include <stdlib.h>

#include "bootstrap/app.h"
#include "bootstrap/bootstrap.h"
#include "bootstrap/manifest.h"
#include "bootstrap/service_call.h"
#include "bootstrap/step.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/http_client.h"
#include "libflynn/json.h"
#include "libflynn/map.h"
#include "libflynn/xmalloc.h"

static void
on_added(struct step *s, const struct fl_http_result *res, const struct fl_err *err)
{
	struct fl_err why;

	if (err == NULL && fl_http_result_check(res, "add the route", &why) == 0)
		step_done(s, NULL);
	else
		step_fail(s, err != NULL ? err : &why);
}

static void
write_route(struct fl_buf *b, const struct fl_json *spec, const struct step *cert)
{
	const struct fl_json *config = fl_json_get(spec, "config");
	struct fl_jsonw w = fl_jsonw(b);

	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_value(&w, "type", fl_json_get(spec, "type"));
	fl_jsonw_open(&w, "config", '{');
	for (size_t i = 0; i < fl_json_len(config); i++)
		fl_jsonw_value(&w, fl_json_key_at(config, i), fl_json_at(config, i));
	if (cert != NULL && cert->data != NULL) {
		fl_jsonw_str_oe(&w, "tls_cert", fl_map_get(cert->data, "Cert"));
		fl_jsonw_str_oe(&w, "tls_key", fl_map_get(cert->data, "PrivateKey"));
	}
	fl_jsonw_close(&w, '}');
	fl_jsonw_close(&w, '}');
}

void
action_add_route(struct step *s)
{
	const char *cert_id = fl_json_text(s->spec, "cert_step");
	struct fl_buf text = { 0 };
	struct step *of;
	struct fl_err err;
	char *path;

	if ((of = step_app_step(s, "app_step", &err)) == NULL) {
		step_fail(s, &err);
		return;
	}
	write_route(&text, s->spec, manifest_find(s->bootstrap->manifest, cert_id));
	path = fl_xasprintf("/apps/%s/routes", of->app->id);
	s->waiting_for = "the controller and the router";
	controller_call(s, "POST", path, text.data, on_added);
	free(path);
	fl_buf_release(&text);
}
