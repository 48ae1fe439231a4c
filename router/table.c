#include "router/table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "libflynn/xmalloc.h"
#include "router/path.h"
#include "router/tls_cert.h"

/* FNV-1a. */
static uint64_t
hash_of(uint64_t seed, const char *key, size_t len)
{
	uint64_t h = seed ^ UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)key[i]) * UINT64_C(0x100000001b3);
	return h ^ h >> 32;
}

struct target *
target_new(const struct target_spec *spec)
{
	const char *path = spec->path != NULL ? spec->path : "";
	size_t key_size = strlen(spec->key) + 1, path_size = strlen(path) + 1;
	struct target *t = fl_xmalloc(sizeof(*t) + key_size + path_size);

	assert(key_size <= TABLE_MAX_KEY + 1 && path_size <= PATH_MAX_ROUTE + 1);
	*t = (struct target){
		.service = spec->service,
		.cert = spec->cert,
		.tally = spec->tally,
		.maintenance = fl_xstrdup_null(spec->maintenance),
		.path_len = (uint16_t)(path_size - 1),
		.sticky = spec->sticky,
		.leader = spec->leader,
		.redirect_https = spec->redirect_https,
	};
	memcpy(t->key, spec->key, key_size);
	t->path = memcpy(t->key + key_size, path, path_size);
	return t;
}

void
target_free(void *target)
{
	struct target *t = target;

	if (t == NULL)
		return;
	tls_cert_free(t->cert);
	free(t->maintenance);
	free(t);
}

/* Whether an entry is a table_paths: what is allocated starts at an even address. */
static bool
has_paths(const void *entry)
{
	return ((uintptr_t)entry & 1) != 0;
}

static const struct target *
only_target(const void *entry)
{
	return has_paths(entry) ? NULL : entry;
}

static const struct table_paths *
paths_of(const void *entry)
{
	return has_paths(entry) ? (const void *)((const char *)entry - 1) : NULL;
}

static const struct target *
first_target(const void *entry)
{
	return has_paths(entry) ? paths_of(entry)->targets[0] : entry;
}

static size_t
n_blocks(const struct table *t)
{
	return t->mask / TABLE_BLOCK + 1;
}

static struct table_slot *
slot_at(const struct table *t, size_t i)
{
	return &t->blocks[i / TABLE_BLOCK]->slots[i % TABLE_BLOCK];
}

struct table *
table_new(size_t n, uint64_t seed)
{
	size_t size = TABLE_BLOCK;
	struct table *t;

	while (size < n * 2)
		size *= 2;
	t = fl_xcalloc(1, sizeof(*t) + size / TABLE_BLOCK * sizeof(t->blocks[0]));
	t->seed = seed;
	t->mask = size - 1;
	for (size_t i = 0; i < n_blocks(t); i++) {
		t->blocks[i] = fl_xcalloc(1, sizeof(*t->blocks[i]));
		t->blocks[i]->n_tables = 1;
	}
	return t;
}

struct table *
table_copy(const struct table *t, size_t n_more)
{
	struct table *copy;

	if (t->n + n_more > t->mask / 2)
		return NULL;
	copy = fl_xmemdup(t, sizeof(*t) + n_blocks(t) * sizeof(t->blocks[0]));
	for (size_t i = 0; i < n_blocks(t); i++)
		copy->blocks[i]->n_tables++;
	return copy;
}

static void
block_free(struct table_block *b)
{
	if (--b->n_tables > 0)
		return;
	for (size_t i = 0; i < TABLE_BLOCK; i++)
		free((void *)paths_of(b->slots[i].entry));
	free(b);
}

void
table_free(void *table)
{
	struct table *t = table;

	for (size_t i = 0; t != NULL && i < n_blocks(t); i++)
		block_free(t->blocks[i]);
	free(t);
}

/* A block of this table alone. */
static struct table_block *
block_copy(const struct table_block *b)
{
	struct table_block *copy = fl_xmemdup(b, sizeof(*b));

	copy->n_tables = 1;
	for (size_t i = 0; i < TABLE_BLOCK; i++) {
		const struct table_paths *p = paths_of(b->slots[i].entry);

		if (p != NULL)
			copy->slots[i].entry = (const char *)fl_xmemdup(p, sizeof(*p) + p->n * sizeof(p->targets[0])) + 1;
	}
	return copy;
}

/* The slot, which no other table has. */
static struct table_slot *
own_slot(struct table *t, size_t i)
{
	struct table_block **b = &t->blocks[i / TABLE_BLOCK], *shared = *b;

	if (shared->n_tables > 1) {
		*b = block_copy(shared);
		shared->n_tables--;
	}
	return slot_at(t, i);
}

/* Where that key is, or the empty slot where it would be. */
static size_t
find(const struct table *t, uint64_t hash, const char *key, size_t len)
{
	const struct table_slot *slot;
	size_t i;

	for (i = hash & t->mask; (slot = slot_at(t, i))->entry != NULL; i = (i + 1) & t->mask) {
		const char *found = first_target(slot->entry)->key;

		if (slot->hash == hash && strncmp(found, key, len) == 0 && found[len] == '\0')
			break;
	}
	return i;
}

/* NULL: there is none of that key. */
static const void *
find_entry(const struct table *t, const char *key, size_t len)
{
	return slot_at(t, find(t, hash_of(t->seed, key, len), key, len))->entry;
}

/* The entry with the target added. */
static const void *
add_to(const void *entry, const struct target *target)
{
	const struct table_paths *old = paths_of(entry);
	const struct target *only = only_target(entry);
	size_t n = old != NULL ? old->n : only != NULL, at = 0;
	struct table_paths *paths;

	if (n == 0 && target->path_len == 0)
		return target;
	paths = fl_xmalloc(sizeof(*paths) + (n + 1) * sizeof(paths->targets[0]));
	paths->n = n + 1;
	for (size_t i = 0; i < n; i++) {
		const struct target *t = old != NULL ? old->targets[i] : only;

		at += t->path_len >= target->path_len;
		paths->targets[t->path_len >= target->path_len ? i : i + 1] = t;
	}
	paths->targets[at] = target;
	free((void *)old);
	return (const char *)paths + 1;
}

void
table_add(struct table *t, const struct target *target)
{
	size_t len = strlen(target->key);
	uint64_t hash = hash_of(t->seed, target->key, len);
	struct table_slot *slot = own_slot(t, find(t, hash, target->key, len));

	assert(t->n <= t->mask / 2);
	slot->hash = hash;
	slot->entry = add_to(slot->entry, target);
	t->n++;
	if (target->key[0] == '*')
		t->has_wildcards = true;
}

const struct target *
table_find(const struct table *t, const char *key, size_t len)
{
	return only_target(find_entry(t, key, len));
}

/* The names that a host's routes can have: itself, then wildcards, the nearest first. */
struct names {
	const char *host;
	size_t len, at; /* at: the dot that the last wildcard began with; 0: none yet */
	char key[TABLE_MAX_KEY + 1];
};

/* The entry of the next name that has one; NULL: none is left. */
static const void *
next_entry(const struct table *t, struct names *n)
{
	const void *entry = NULL;

	while (entry == NULL && t->has_wildcards && ++n->at < n->len) {
		if (n->host[n->at] != '.')
			continue;
		n->key[0] = '*';
		memcpy(n->key + 1, n->host + n->at, n->len - n->at);
		entry = find_entry(t, n->key, n->len - n->at + 1);
	}
	return entry;
}

static const struct target *
match_path(const void *entry, struct fl_span path)
{
	const struct table_paths *paths = paths_of(entry);

	for (size_t i = 0; paths != NULL && i < paths->n; i++)
		if (path_is_below(path, paths->targets[i]->path, paths->targets[i]->path_len))
			return paths->targets[i];
	return only_target(entry);
}

/* first: the entry of the host itself. */
static const struct target *
match(const struct table *t, const void *first, const char *host, size_t len, struct fl_span path)
{
	struct names names = { .host = host, .len = len };
	const struct target *found = first != NULL ? match_path(first, path) : NULL;
	const void *entry;

	while (found == NULL && (entry = next_entry(t, &names)) != NULL)
		found = match_path(entry, path);
	return found;
}

static const struct target *
match_all_readings(const struct table *t, const void *first, const char *host, size_t len, struct fl_span path, bool *is_ambiguous)
{
	const struct target *found = NULL;
	char read[PATH_MAX_READ];

	*is_ambiguous = path.len > sizeof(read);
	for (int r = 0; r < PATH_READINGS && !*is_ambiguous; r++) {
		size_t n = path_read(read, path, (enum path_reading)r);
		const struct target *one = match(t, first, host, len, (struct fl_span){ read, n });

		*is_ambiguous = r > 0 && one != found;
		found = one;
	}
	return *is_ambiguous ? NULL : found;
}

const struct target *
table_find_route(const struct table *t, const char *host, size_t len, struct fl_span path, bool *is_ambiguous)
{
	const void *entry = find_entry(t, host, len);
	const struct target *only = only_target(entry);

	*is_ambiguous = false;
	if (only != NULL || (entry == NULL && !t->has_wildcards))
		return only;
	if (path_is_plain(path))
		return match(t, entry, host, len, path);
	return match_all_readings(t, entry, host, len, path, is_ambiguous);
}

/* The shortest path's first. */
static struct tls_cert *
cert_of(const void *entry)
{
	const struct table_paths *paths = paths_of(entry);
	struct tls_cert *cert = NULL;

	if (paths == NULL)
		return entry != NULL ? only_target(entry)->cert : NULL;
	for (size_t i = paths->n; i-- > 0 && cert == NULL;)
		cert = paths->targets[i]->cert;
	return cert;
}

struct tls_cert *
table_find_cert(const struct table *t, const char *host, size_t len)
{
	struct names names = { .host = host, .len = len };
	struct tls_cert *cert = cert_of(find_entry(t, host, len));
	const void *entry;

	while (cert == NULL && (entry = next_entry(t, &names)) != NULL)
		cert = cert_of(entry);
	return cert;
}

/* How many bytes of host are its name; 0: malformed. */
static size_t
name_len(const char *host, size_t len)
{
	const char *end = host[0] == '[' ? memchr(host, ']', len) : memchr(host, ':', len);
	size_t n;

	if (end == NULL)
		return host[0] == '[' ? 0 : len;
	n = (size_t)(end - host) + (host[0] == '[');
	if (n == len)
		return n;
	if (host[n] != ':')
		return 0;
	for (size_t i = n + 1; i < len; i++)
		if (host[i] < '0' || host[i] > '9')
			return 0;
	return n;
}

static char
lower(char c, bool is_literal)
{
	if (c >= 'A' && c <= 'Z')
		return (char)(c - 'A' + 'a');
	if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_')
		return c;
	return is_literal && (c == '[' || c == ']' || c == ':') ? c : '\0';
}

size_t
table_normalise_host(const char *host, size_t len, char out[TABLE_MAX_KEY + 1])
{
	size_t n = len == 0 ? 0 : name_len(host, len);

	if (n > 1 && host[n - 1] == '.')
		n--;
	if (n > TABLE_MAX_KEY)
		return 0;
	for (size_t i = 0; i < n; i++)
		if ((out[i] = lower(host[i], host[0] == '[')) == '\0')
			return 0;
	out[n] = '\0';
	return n;
}
