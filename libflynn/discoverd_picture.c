/*
 * discoverd_picture - the instances of one service, drawn event by event.
 */
#include <stdlib.h>
#include <string.h>

#include "libflynn/discoverd_internal.h"
#include "libflynn/xmalloc.h"

void
picture_release(struct picture *p)
{
	for (size_t i = 0; i < p->n; i++)
		fl_instance_free(p->instances[i]);
	free(p->instances);
	free(p->leader_id);
	*p = (struct picture){ 0 };
}

void
picture_remove(struct picture *p, const char *id)
{
	for (size_t i = 0; i < p->n; i++) {
		if (strcmp(p->instances[i]->id, id) != 0)
			continue;
		fl_instance_free(p->instances[i]);
		memmove(&p->instances[i], &p->instances[i + 1], (p->n - i - 1) * sizeof(struct fl_instance *));
		p->n--;
		return;
	}
}

void
picture_put(struct picture *p, struct fl_instance *instance)
{
	size_t i;

	picture_remove(p, instance->id);
	p->instances = fl_xreallocarray(p->instances, p->n + 1, sizeof(struct fl_instance *));
	for (i = p->n; i > 0 && p->instances[i - 1]->index > instance->index; i--)
		p->instances[i] = p->instances[i - 1];
	p->instances[i] = instance;
	p->n++;
}

bool
picture_apply(struct picture *p, const char *kind, const struct fl_json *v)
{
	struct fl_instance *instance = fl_instance_parse(v);
	bool changes = true;

	if (instance == NULL)
		return false;
	if (strcmp(kind, "up") == 0 || strcmp(kind, "update") == 0) {
		picture_put(p, instance);
		return true;
	}
	if (strcmp(kind, "down") == 0) {
		picture_remove(p, instance->id);
	} else if (strcmp(kind, "leader") == 0) {
		free(p->leader_id);
		p->leader_id = fl_xstrdup(instance->id);
	} else {
		changes = false;
	}
	fl_instance_free(instance);
	return changes;
}
