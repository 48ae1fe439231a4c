/*
 * map - see map.h. The only file that includes uthash.
 */
#include "libflynn/map.h"

#include <stdlib.h>
#include <string.h>

#include "libflynn/xmalloc.h"

#define uthash_malloc(size) fl_xmalloc(size)
#include <uthash.h>

struct fl_map_entry {
	UT_hash_handle hh;
	void *value;
	char key[];
};

struct fl_map {
	struct fl_map_entry *head; /* uthash keeps insertion order behind it */
};

static struct fl_map_entry *
find(const struct fl_map *m, const char *key)
{
	struct fl_map_entry *e = NULL;

	HASH_FIND(hh, m->head, key, strlen(key), e);
	return e;
}

struct fl_map *
fl_map_new(void)
{
	return fl_xcalloc(1, sizeof(struct fl_map));
}

void
fl_map_free_with(struct fl_map *m, void (*free_value)(void *))
{
	struct fl_map_entry *e = NULL, *next = NULL;

	if (m == NULL)
		return;
	e = m->head;
	HASH_CLEAR(hh, m->head); /* the entries stay linked */
	for (; e != NULL; e = next) {
		next = e->hh.next;
		if (free_value != NULL)
			free_value(e->value);
		free(e);
	}
	free(m);
}

void
fl_map_free(struct fl_map *m)
{
	fl_map_free_with(m, NULL);
}

void *
fl_map_get(const struct fl_map *m, const char *key)
{
	struct fl_map_entry *e = find(m, key);

	return e != NULL ? e->value : NULL;
}

void *
fl_map_set(struct fl_map *m, const char *key, void *value)
{
	struct fl_map_entry *e = find(m, key);
	void *before = NULL;
	size_t len = strlen(key);

	if (e != NULL) {
		before = e->value;
		e->value = value;
		return before;
	}
	e = fl_xcalloc(1, sizeof(*e) + len + 1);
	memcpy(e->key, key, len + 1);
	e->value = value;
	HASH_ADD_KEYPTR(hh, m->head, e->key, len, e);
	return NULL;
}

void *
fl_map_remove(struct fl_map *m, const char *key)
{
	struct fl_map_entry *e = find(m, key);
	void *value = NULL;

	if (e == NULL)
		return NULL;
	value = e->value;
	HASH_DELETE(hh, m->head, e);
	free(e);
	return value;
}

size_t
fl_map_count(const struct fl_map *m)
{
	return HASH_COUNT(m->head);
}

struct fl_map_entry *
fl_map_first(const struct fl_map *m)
{
	return m->head;
}

struct fl_map_entry *
fl_map_next(const struct fl_map_entry *e)
{
	return e->hh.next;
}

const char *
fl_map_key(const struct fl_map_entry *e)
{
	return e->key;
}

void *
fl_map_value(const struct fl_map_entry *e)
{
	return e->value;
}
