#include "router/table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "libflynn/xmalloc.h"
#include "router/tls.h"

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
target_new(const char *key, struct service *service, struct tls_cert *cert)
{
	size_t len = strlen(key) + 1;
	struct target *t = fl_xmalloc(sizeof(*t) + len);

	assert(len <= TABLE_MAX_KEY + 1);
	t->service = service;
	t->cert = cert;
	memcpy(t->key, key, len);
	return t;
}

void
target_free(void *target)
{
	struct target *t = target;

	if (t == NULL)
		return;
	tls_cert_free(t->cert);
	free(t);
}

struct table *
table_new(size_t n, uint64_t seed)
{
	size_t size = 8;
	struct table *t;

	while (size < n * 2)
		size *= 2;
	t = fl_xcalloc(1, sizeof(*t) + size * sizeof(struct table_slot));
	t->seed = seed;
	t->mask = size - 1;
	return t;
}

void
table_add(struct table *t, const struct target *target)
{
	uint64_t hash = hash_of(t->seed, target->key, strlen(target->key));
	size_t i = hash & t->mask;

	assert(t->n <= t->mask / 2);
	while (t->slots[i].target != NULL)
		i = (i + 1) & t->mask;
	t->slots[i] = (struct table_slot){ hash, target };
	t->n++;
	if (target->key[0] == '*')
		t->has_wildcards = true;
}

const struct target *
table_find(const struct table *t, const char *key, size_t len)
{
	uint64_t hash = hash_of(t->seed, key, len);

	for (size_t i = hash & t->mask; t->slots[i].target != NULL; i = (i + 1) & t->mask) {
		const char *found = t->slots[i].target->key;

		if (t->slots[i].hash == hash && strncmp(found, key, len) == 0 && found[len] == '\0')
			return t->slots[i].target;
	}
	return NULL;
}

const struct target *
table_find_host(const struct table *t, const char *host, size_t len)
{
	const struct target *found = table_find(t, host, len);
	char key[TABLE_MAX_KEY + 1];

	if (found != NULL || !t->has_wildcards)
		return found;
	for (size_t i = 1; i < len && found == NULL; i++) {
		if (host[i] != '.')
			continue;
		key[0] = '*';
		memcpy(key + 1, host + i, len - i);
		found = table_find(t, key, len - i + 1);
	}
	return found;
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
