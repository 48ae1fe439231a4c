/*
 * Paths of requests, in every reading: no longer than they came, and what the table serves leads to the same route in all.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "libflynn/xmalloc.h"
#include "router/path.h"
#include "router/table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_readings(struct fl_span path, const struct target *found, char *out)
{
	bool is_plain = path_is_plain(path);

	for (int r = 0; r < PATH_READINGS; r++) {
		struct fl_span reading = { out, path_read(out, path, (enum path_reading)r) };

		assert(reading.len >= 1 && reading.len <= path.len && *out == '/');
		assert(!is_plain || (reading.len == path.len && memcmp(out, path.p, path.len) == 0));
		/* It is not below a longer path than that of the route that it is served by. */
		if (found != NULL) {
			assert(path_is_below(reading, found->path, found->path_len));
			assert(found->path_len > 0 || !path_is_below(reading, "/api", 4));
			assert(found->path_len > 4 || !path_is_below(reading, "/api/v1", 7));
		}
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const paths[] = { "", "/api", "/api/v1" };
	struct table *t = table_new(4, 1);
	struct target *targets[3];
	const struct target *found;
	bool is_ambiguous = false;
	char *in = fl_xmalloc(size + 1), *out = fl_xmalloc(size + 1);

	if (size > PATH_MAX_READ - 1)
		size = PATH_MAX_READ - 1;
	for (size_t i = 0; i < 3; i++)
		table_add(t, targets[i] = target_new(&(struct target_spec){ .key = "a.com", .path = paths[i] }));
	*in = '/';
	memcpy(in + 1, data, size);
	found = table_find_route(t, "a.com", 5, (struct fl_span){ in, size + 1 }, &is_ambiguous);
	assert((found == NULL) == is_ambiguous);
	check_readings((struct fl_span){ in, size + 1 }, found, out);
	for (size_t i = 0; i < 3; i++)
		target_free(targets[i]);
	table_free(t);
	free(in);
	free(out);
	return 0;
}
