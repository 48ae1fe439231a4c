/*
 * manifest_fuzz - bootstrap's manifest and its templates: what is taken can be run in some order.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bootstrap/manifest.h"
#include "bootstrap/step.h"
#include "bootstrap/template.h"
#include "libflynn/attr.h"
#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/json.h"
#include "libflynn/xmalloc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *
lookup(FL_UNUSED const char *step, const char *field, FL_UNUSED void *arg)
{
	return strcmp(field, "Data") == 0 ? "da{{ta" : NULL;
}

static bool
is_ready(const struct step *s)
{
	for (size_t i = 0; i < s->n_after; i++)
		if (s->after[i]->state != STEP_DONE)
			return false;
	return true;
}

/* Every step gets its turn, and no earlier than what it comes after. */
static void
check_order(struct manifest *m)
{
	for (size_t done = 0; done < m->n; done++) {
		struct step *next = NULL;

		for (size_t i = 0; i < m->n && next == NULL; i++)
			if (m->steps[i]->state == STEP_WAITING && is_ready(m->steps[i]))
				next = m->steps[i];
		if (next == NULL)
			abort();
		next->state = STEP_DONE;
		fl_json_free(template_expand_json(next->template, lookup, NULL, NULL));
	}
}

static void
check_template(const char *text)
{
	struct fl_buf out = { 0 };
	struct fl_err err = { 0 };

	if (template_expand(text, &out, lookup, NULL, &err) == 0) {
		if (strstr(text, "{{") == NULL && strcmp(fl_buf_cstr(&out), text) != 0)
			abort();
	} else if (err.kind != FL_ERR_INVALID || strstr(text, "{{") == NULL) {
		abort();
	}
	fl_buf_release(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fl_err err = { 0 };
	struct manifest *m = manifest_parse(NULL, (const char *)data, size, &err);
	char *text = fl_xstrndup((const char *)data, size);

	if (m != NULL)
		check_order(m);
	else if (err.kind == FL_ERR_NONE || *err.msg == '\0')
		abort();
	manifest_free(m);
	check_template(text);
	free(text);
	return 0;
}
