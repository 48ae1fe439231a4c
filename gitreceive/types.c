#include <stdlib.h>
#include <string.h>

#include "libflynn/xmalloc.h"
#include "types.h"

#define MAX_TYPES 64

static void
take_names(struct types *t, char *list)
{
	char *name;

	while ((name = strsep(&list, ",")) != NULL && t->n < MAX_TYPES) {
		name += strspn(name, " \t");
		name[strcspn(name, " \t\r")] = '\0';
		if (*name == '\0')
			continue;
		t->names = fl_xreallocarray(t->names, t->n + 1, sizeof(*t->names));
		t->names[t->n++] = fl_xstrdup(name);
	}
}

static void
take_line(struct types *t)
{
	char *word = strstr(t->line, "types"), *arrow = word != NULL ? strstr(word, " -> ") : NULL;

	if (arrow == NULL || t->found)
		return;
	t->found = true;
	take_names(t, arrow + strlen(" -> "));
}

void
types_feed(struct types *t, const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (data[i] != '\n') {
			if (t->len < sizeof(t->line) - 1)
				t->line[t->len++] = data[i];
			continue;
		}
		t->line[t->len] = '\0';
		t->len = 0;
		take_line(t);
	}
}

void
types_release(struct types *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->names[i]);
	free(t->names);
}
