/*
 * config_fuzz - ~/.flynnrc: what is read is written, read again, and then written the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli/config.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/xmalloc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
same(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static void
check_same(const struct config *a, const struct config *b)
{
	if (b == NULL || a->n != b->n || !same(a->default_name, b->default_name))
		abort();
	for (size_t i = 0; i < a->n; i++) {
		const struct cluster *x = &a->clusters[i], *y = &b->clusters[i];

		if (!same(x->name, y->name) || !same(x->git_host, y->git_host) || !same(x->url, y->url) ||
		    !same(x->key, y->key) || !same(x->pin, y->pin))
			abort();
	}
}

static void
check_round_trip(const struct config *c)
{
	struct fl_buf text = { 0 };
	struct config *again;

	config_format(c, &text);
	again = config_parse("again", fl_buf_cstr(&text), NULL);
	check_same(c, again);
	config_free(again);
	fl_buf_release(&text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fl_xstrndup((const char *)data, size), *app = NULL;
	struct fl_err err = { 0 };
	struct config *c = config_parse("rc", text, &err);

	if (c == NULL && err.kind != FL_ERR_INVALID)
		abort();
	if (c != NULL) {
		check_round_trip(c);
		config_match_remote(c, text, &app);
	}
	free(app);
	config_free(c);
	free(text);
	return 0;
}
