#include "controller/route_json.h"

#include <stdbool.h>
#include <string.h>

#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/json.h"

static bool
is_one_of(const char *const *names, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

/* The last clients keep certificate and key together. */
static void
read_certificate(struct fl_jsonw *w, const struct fl_json *certificate)
{
	static const struct {
		const char *theirs, *ours;
	} names[] = { { "cert", "tls_cert" }, { "key", "tls_key" } };

	for (size_t i = 0; i < fl_nitems(names); i++) {
		const struct fl_json *v = fl_json_get(certificate, names[i].theirs);

		if (!fl_json_is_null(v))
			fl_jsonw_value(w, names[i].ours, v);
	}
}

/* All other members are settings: which of them there are is the router's to say. */
static void
read_flat(struct fl_jsonw *w, const struct fl_json *route)
{
	static const char *const not_settings[] = { "id", "parent_ref", "once", "type", "created_at", "updated_at", "certificate" };

	fl_jsonw_open(w, "config", '{');
	for (size_t i = 0; i < fl_json_len(route); i++)
		if (!is_one_of(not_settings, fl_nitems(not_settings), fl_json_key_at(route, i)))
			fl_jsonw_value(w, fl_json_key_at(route, i), fl_json_at(route, i));
	read_certificate(w, fl_json_get(route, "certificate"));
	fl_jsonw_close(w, '}');
}

void
route_json_read(const struct fl_json *route, const char *parent_ref, const char *once, struct fl_buf *out)
{
	const struct fl_json *type = fl_json_get(route, "type"), *config = fl_json_get(route, "config");
	struct fl_jsonw w = fl_jsonw(out);

	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_str_oe(&w, "parent_ref", parent_ref);
	fl_jsonw_str_oe(&w, "once", once);
	if (type != NULL)
		fl_jsonw_value(&w, "type", type);
	if (config != NULL)
		fl_jsonw_value(&w, "config", config);
	else
		read_flat(&w, route);
	fl_jsonw_close(&w, '}');
}

void
route_json_write(struct fl_jsonw *w, const char *key, const struct fl_json *route)
{
	const struct fl_json *config = fl_json_get(route, "config");

	if (fl_json_type(route) != FL_JSON_OBJECT) {
		fl_jsonw_value(w, key, route);
		return;
	}
	fl_jsonw_open(w, key, '{');
	for (size_t i = 0; i < fl_json_len(route); i++)
		fl_jsonw_value(w, fl_json_key_at(route, i), fl_json_at(route, i));
	for (size_t i = 0; i < fl_json_len(config); i++)
		if (fl_json_get(route, fl_json_key_at(config, i)) == NULL)
			fl_jsonw_value(w, fl_json_key_at(config, i), fl_json_at(config, i));
	fl_jsonw_close(w, '}');
}
