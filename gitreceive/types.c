#include <stdlib.h>
#include <string.h>

#include "gitreceive/types.h"
#include "libflynn/xmalloc.h"

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
forget_names(struct types *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->names[i]);
	t->n = 0;
}

/* The line without the builder's indent and move to column 1. */
static char *
line_text(struct types *t)
{
	static const char to_column_1[] = "\033[1G";
	char *text = t->line;

	if (strncmp(text, to_column_1, strlen(to_column_1)) == 0)
		text += strlen(to_column_1);
	return text + strspn(text, " ");
}

static void
take_line(struct types *t)
{
	static const char declared[] = "Procfile declares types", by_default[] = "Default types for ", arrow[] = " -> ";
	char *text = line_text(t), *list = strstr(text, arrow);
	bool is_declared = list != NULL && (size_t)(list - text) == strlen(declared) && strncmp(text, declared, strlen(declared)) == 0;
	bool is_default = list != NULL && strncmp(text, by_default, strlen(by_default)) == 0;

	if (!is_declared && (!is_default || t->declared))
		return;
	t->declared = is_declared;
	forget_names(t);
	take_names(t, list + strlen(arrow));
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
	forget_names(t);
	free(t->names);
}
