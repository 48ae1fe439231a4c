#include <event2/event.h>
#include <stdlib.h>

#include "discoverd/registry.h"
#include "discoverd/store_private.h"
#include "libflynn/err.h"
#include "libflynn/etcd.h"
#include "libflynn/log.h"
#include "libflynn/map.h"
#include "libflynn/xmalloc.h"

/* Another discoverd may have been quicker. What failed is tried again when the store settles next. */
static void
on_made_again(const struct fl_err *err, void *arg)
{
	static const struct timeval later = { 1, 0 };
	struct change *c = arg;
	struct store *st = c->st;

	if (err == NULL || err->kind == FL_ERR_CONFLICT)
		return;
	fl_map_set(st->lost, c->service, st);
	if (!evtimer_pending(st->settle, NULL))
		evtimer_add(st->settle, &later);
}

static struct change *
change_make_again(struct store *st, const char *service)
{
	struct change *c = change_new(st, on_made_again, NULL);

	c->arg = c;
	c->service = fl_xstrdup(service);
	return c;
}

static void
make_again(struct store *st, const struct service *s)
{
	fl_log_warn("etcd has lost a service that lives; it is made again", fl_str("service", s->name));
	change_put_config(change_make_again(st, s->name), s->name, s->manual, s->chosen, FL_ETCD_ABSENT);
	if (s->meta != NULL && fl_map_remove(st->lost_meta, s->name) != NULL)
		change_put_meta(change_make_again(st, s->name), s->name, s->meta, FL_ETCD_ABSENT);
}

void
store_settle_lost(struct store *st)
{
	FL_MAP_EACH (st->lost, e) {
		const struct service *s = registry_find_any(st->registry, fl_map_key(e));
		char *name = fl_xstrdup(fl_map_key(e));

		fl_map_remove(st->lost, name);
		if (s != NULL && s->n_instances > 0) {
			make_again(st, s);
		} else {
			registry_choose_leader(st->registry, name, NULL);
			registry_remove_service(st->registry, name);
		}
		free(name);
	}
	FL_MAP_EACH (st->lost_meta, e) {
		char *name = fl_xstrdup(fl_map_key(e));

		fl_map_remove(st->lost_meta, name);
		registry_set_meta(st->registry, name, NULL, 0);
		free(name);
	}
}
