/*
 * map - string keys to borrowed pointers, in insertion order.
 *
 * Keys are copied, values are the caller's. The entry under the loop's hands may be
 * removed while iterating with FL_MAP_EACH; others may not.
 */
#ifndef FL_MAP_H
#define FL_MAP_H

#include <stddef.h>

struct fl_map;
struct fl_map_entry;

struct fl_map *fl_map_new(void);
/* Free the map; values are not touched. NULL is fine. */
void fl_map_free(struct fl_map *m);
/* Free the map and call free_value on each value. */
void fl_map_free_with(struct fl_map *m, void (*free_value)(void *));

/* The value, or NULL. */
void *fl_map_get(const struct fl_map *m, const char *key);
/* Set key to value (not NULL); returns the value that was there before, or NULL. */
void *fl_map_set(struct fl_map *m, const char *key, void *value);
/* Take key out; returns its value, or NULL. */
void *fl_map_remove(struct fl_map *m, const char *key);
size_t fl_map_count(const struct fl_map *m);

struct fl_map_entry *fl_map_first(const struct fl_map *m);
struct fl_map_entry *fl_map_next(const struct fl_map_entry *e);
const char *fl_map_key(const struct fl_map_entry *e);
void *fl_map_value(const struct fl_map_entry *e);

#define FL_MAP_EACH(m, e)                                                            \
	for (struct fl_map_entry *e = fl_map_first(m), *e##_next_;                   \
	     e != NULL && ((e##_next_ = fl_map_next(e)), 1); e = e##_next_)

#endif
