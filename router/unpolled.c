#include "router/unpolled.h"

#include <stdlib.h>

#include "libflynn/xmalloc.h"
#include "router/client.h"
#include "router/worker.h"

#define FIRST_CAP 64

static struct unpolled_item *
item(const struct unpolled *u, uint32_t number)
{
	return &u->items[number & (u->cap - 1)];
}

static void
grow(struct unpolled *u)
{
	struct unpolled bigger = { .first = u->first, .n = u->n, .cap = u->cap > 0 ? 2 * u->cap : FIRST_CAP };

	bigger.items = fl_xreallocarray(NULL, bigger.cap, sizeof(*bigger.items));
	for (uint32_t i = 0; i < u->n; i++)
		*item(&bigger, u->first + i) = *item(u, u->first + i);
	free(u->items);
	*u = bigger;
}

void
unpolled_add(struct client *c)
{
	struct unpolled *u = &c->w->unpolled;

	if (u->n == u->cap)
		grow(u);
	c->is_unpolled = true;
	c->unpolled = u->first + u->n++;
	*item(u, c->unpolled) = (struct unpolled_item){ c, c->w->now_ms + UNPOLLED_MS };
}

void
unpolled_remove(struct client *c)
{
	if (c->is_unpolled)
		item(&c->w->unpolled, c->unpolled)->c = NULL;
	c->is_unpolled = false;
}

void
unpolled_run(struct worker *w)
{
	struct unpolled *u = &w->unpolled;

	while (u->n > 0) {
		struct unpolled_item *i = item(u, u->first);

		if (i->c != NULL && i->due_ms > w->now_ms)
			return;
		if (i->c != NULL)
			client_poll(i->c);
		u->first++;
		u->n--;
	}
}

void
unpolled_release(struct unpolled *u)
{
	free(u->items);
	*u = (struct unpolled){ 0 };
}
