/*
 * push_fuzz - what a push is made of: the SSH command, the refs that git names, the builder's output.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gitreceive/command.h"
#include "gitreceive/refs.h"
#include "gitreceive/types.h"
#include "libflynn/err.h"
#include "libflynn/xmalloc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An app's name becomes part of paths and requests; a refusal, of a terminal's screen. */
static void
check_command(const char *text)
{
	struct fl_err err = { 0 };
	char *app = command_parse(text, &err);

	if (app != NULL && (*app == '\0' || strlen(app) > 100 || strpbrk(app, "./ '\"%?#\n") != NULL))
		abort();
	if (app == NULL)
		for (const char *p = err.msg; *p != '\0'; p++)
			if (*p < ' ')
				abort();
	free(app);
}

static void
check_refs(const void *data, size_t size)
{
	FILE *in = size > 0 ? fmemopen((void *)data, size, "r") : NULL;
	char commit[REFS_OID_LEN + 1];
	struct fl_err err = { 0 };

	if (in == NULL)
		return;
	if (refs_read(in, commit, &err) == 0 && *commit != '\0' && strspn(commit, "0123456789abcdef") != REFS_OID_LEN)
		abort();
	fclose(in);
}

/* In one piece and byte by byte it is the same. */
static void
check_types(const char *data, size_t size)
{
	struct types whole = { 0 }, pieces = { 0 };

	types_feed(&whole, data, size);
	for (size_t i = 0; i < size; i++)
		types_feed(&pieces, data + i, 1);
	if (whole.n != pieces.n)
		abort();
	for (size_t i = 0; i < whole.n; i++)
		if (*whole.names[i] == '\0' || strcmp(whole.names[i], pieces.names[i]) != 0)
			abort();
	types_release(&whole);
	types_release(&pieces);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fl_xstrndup((const char *)data, size);

	check_command(text);
	check_refs(data, size);
	check_types((const char *)data, size);
	free(text);
	return 0;
}
