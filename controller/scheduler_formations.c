#include <stdlib.h>

#include "controller/scheduler.h"
#include "controller/scheduler_formations.h"
#include "libflynn/attr.h"
#include "libflynn/discoverd.h"
#include "libflynn/err.h"
#include "libflynn/json.h"
#include "libflynn/log.h"
#include "libflynn/map.h"
#include "libflynn/sse_client.h"
#include "libflynn/xmalloc.h"

struct formations {
	struct scheduler *scheduler;
	struct fl_discoverd_service *controller;
	struct fl_sse_client *stream;
	bool known;
};

const char *
formations_controller(const struct formations *f)
{
	const struct fl_instance *leader = fl_discoverd_service_leader(f->controller);

	return leader != NULL ? leader->addr : NULL;
}

bool
formations_known(const struct formations *f)
{
	return f->known;
}

static char *
stream_url(void *arg)
{
	const char *addr = formations_controller(arg);

	return addr != NULL ? fl_xasprintf("http://%s/formations", addr) : NULL;
}

/* A new stream tells everything again: what it leaves out is gone. */
static void
on_open(void *arg)
{
	struct formations *f = arg;

	FL_MAP_EACH(f->scheduler->world.formations, e)
		((struct formation *)fl_map_value(e))->seen = false;
}

static void
on_all_told(struct formations *f)
{
	FL_MAP_EACH(f->scheduler->world.formations, e) {
		struct formation *formation = fl_map_value(e);

		if (!formation->seen)
			world_remove_formation(&f->scheduler->world, formation);
	}
	if (!f->known)
		fl_log_info("formations known", fl_int("formations", fl_map_count(f->scheduler->world.formations)));
	f->known = true;
}

static void
on_event(FL_UNUSED const char *event, FL_UNUSED const char *id, const char *data, size_t len, void *arg)
{
	struct formations *f = arg;
	struct fl_err err;
	struct fl_json *expanded = fl_json_parse(data, len, &err);

	if (expanded == NULL) {
		fl_log_warn("formation not understood", fl_str("err", err.msg));
		return;
	}
	if (fl_json_is_null(fl_json_get(expanded, "app"))) {
		fl_json_free(expanded);
		on_all_told(f);
	} else {
		world_set_formation(&f->scheduler->world, expanded);
	}
	scheduler_look_again(f->scheduler);
}

static void
on_error(const struct fl_err *err, FL_UNUSED void *arg)
{
	fl_log_warn("formation stream broke, opening it again", fl_str("err", err->msg));
}

static const struct fl_sse_client_ops stream_ops = { stream_url, on_open, on_event, on_error, NULL };

static void
on_controller_changed(FL_UNUSED struct fl_discoverd_service *service, void *arg)
{
	struct formations *f = arg;

	if (f->stream == NULL)
		f->stream = fl_sse_client_start(f->scheduler->controller_http, &stream_ops, f);
}

struct formations *
formations_start(struct scheduler *s)
{
	struct formations *f = fl_xcalloc(1, sizeof(*f));

	f->scheduler = s;
	f->controller = fl_discoverd_watch(s->discoverd, "controller", on_controller_changed, f);
	return f;
}

void
formations_free(struct formations *f)
{
	if (f == NULL)
		return;
	if (f->stream != NULL)
		fl_sse_client_free(f->stream);
	fl_discoverd_unwatch(f->controller);
	free(f);
}
