#include "controller/all_routes.h"

#include <string.h>

#include "controller/answer.h"
#include "controller/controller.h"
#include "controller/route_json.h"
#include "controller/router_client.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/http_server.h"
#include "libflynn/json.h"

/* What the API's own route leads to. */
#define OWN_SERVICE "controller"

static void
on_list(const struct fl_json *body, FL_UNUSED const char *field, const struct fl_err *err, void *arg)
{
	struct fl_http_req *req = arg;
	struct fl_buf b = { 0 };
	struct fl_jsonw w = fl_jsonw(&b);

	if (err != NULL) {
		answer_err(req, NULL, err);
		return;
	}
	fl_jsonw_open(&w, NULL, '[');
	for (size_t i = 0; i < fl_json_len(body); i++)
		route_json_write(&w, NULL, fl_json_at(body, i));
	fl_jsonw_close(&w, ']');
	answer_json(req, &b);
}

void
all_routes_list(struct fl_http_req *req, void *arg)
{
	router_call(arg, "GET", "/routes", NULL, on_list, req);
}

static void
on_certificates(const struct fl_json *body, FL_UNUSED const char *field, const struct fl_err *err, void *arg)
{
	struct fl_http_req *req = arg;

	if (err != NULL) {
		answer_err(req, NULL, err);
		return;
	}
	for (size_t i = 0; i < fl_json_len(body); i++) {
		const struct fl_json *config = fl_json_get(fl_json_at(body, i), "config");
		const char *cert = fl_json_str(fl_json_get(config, "tls_cert"), "");

		if (*cert == '\0' || strcmp(fl_json_str(fl_json_get(config, "service"), ""), OWN_SERVICE) != 0)
			continue;
		fl_http_reply(req, 200, "application/x-x509-ca-cert", cert, strlen(cert));
		return;
	}
	answer_not_found(req);
}

void
all_routes_ca_cert(struct fl_http_req *req, void *arg)
{
	router_call(arg, "GET", "/routes", NULL, on_certificates, req);
}
