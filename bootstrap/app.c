#include <stdlib.h>
#include <string.h>

#include "bootstrap/app.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/json.h"
#include "libflynn/uuid.h"
#include "libflynn/xmalloc.h"

/* A JSON object again with "id" set; NULL stands for {}. */
static struct fl_json *
with_id(const struct fl_json *v, const char *id)
{
	struct fl_buf text = { 0 };
	struct fl_jsonw w = fl_jsonw(&text);
	struct fl_json *made;

	fl_jsonw_open(&w, NULL, '{');
	fl_jsonw_str(&w, "id", id);
	for (size_t i = 0; i < fl_json_len(v); i++)
		if (strcmp(fl_json_key_at(v, i), "id") != 0)
			fl_jsonw_value(&w, fl_json_key_at(v, i), fl_json_at(v, i));
	fl_jsonw_close(&w, '}');
	made = fl_json_parse(text.data, text.len, NULL);
	fl_buf_release(&text);
	return made;
}

static int
parse_resources(struct app *a, const struct fl_json *list, struct fl_err *err)
{
	a->resources = fl_xcalloc(fl_json_len(list) + 1, sizeof(*a->resources));
	for (size_t i = 0; i < fl_json_len(list); i++) {
		const char *name = NULL, *url = NULL;

		if (fl_json_member_str(fl_json_at(list, i), "name", &name, err) == -1 ||
		    fl_json_member_str(fl_json_at(list, i), "url", &url, err) == -1)
			return -1;
		if (name == NULL || url == NULL)
			return fl_err_set(err, FL_ERR_INVALID, "a resource needs a name and a url");
		a->resources[a->n_resources].provider = fl_xstrdup(name);
		a->resources[a->n_resources++].url = fl_xstrdup(url);
	}
	return 0;
}

struct app *
app_parse(const struct fl_json *spec, struct fl_err *err)
{
	const struct fl_json *app = NULL, *artifact = NULL, *release = NULL, *processes = NULL, *resources = NULL;
	struct app *a = fl_xcalloc(1, sizeof(*a)), *parsed = NULL;
	char id[FL_UUID_LEN + 1], release_id[FL_UUID_LEN + 1];
	const char *name = NULL;

	if (fl_json_member_obj(spec, "app", &app, err) == -1 ||
	    fl_json_member_obj(spec, "artifact", &artifact, err) == -1 ||
	    fl_json_member_obj(spec, "release", &release, err) == -1 ||
	    fl_json_member_obj(spec, "processes", &processes, err) == -1 ||
	    fl_json_member_arr(spec, "resources", &resources, err) == -1 ||
	    fl_json_member_str(app, "name", &name, err) == -1 ||
	    parse_resources(a, resources, err) == -1)
		goto out;
	if (name == NULL || artifact == NULL || release == NULL || processes == NULL) {
		fl_err_set(err, FL_ERR_INVALID, "an app needs app.name, artifact, release and processes");
		goto out;
	}
	fl_uuid_new(id);
	fl_uuid_new(release_id);
	a->id = fl_xstrdup(id);
	a->name = fl_xstrdup(name);
	a->app = with_id(app, id);
	a->release = with_id(release, release_id);
	a->artifact = fl_json_dup(artifact);
	a->processes = fl_json_dup(processes);
	parsed = a;
	a = NULL;
out:
	app_free(a);
	return parsed;
}

void
app_free(struct app *a)
{
	if (a == NULL)
		return;
	for (size_t i = 0; i < a->n_resources; i++) {
		free(a->resources[i].provider);
		free(a->resources[i].url);
		free(a->resources[i].external_id);
		fl_json_free(a->resources[i].env);
	}
	free(a->resources);
	fl_json_free(a->app);
	fl_json_free(a->artifact);
	fl_json_free(a->release);
	fl_json_free(a->processes);
	free(a->artifact_id);
	free(a->id);
	free(a->name);
	free(a);
}
