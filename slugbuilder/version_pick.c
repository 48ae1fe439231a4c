/* version_pick - npm's way to choose a version, for buildpacks. */
#include "slugbuilder/version_pick.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "libflynn/err.h"
#include "slugbuilder/semver.h"

enum { FOUND = 0, NONE = 1, USAGE = 2 };

#define LINE_MAX_BYTES 4096

struct wish {
	const char *range;
	const struct semver *admits; /* NULL: lines' own ranges do not matter */
};

static bool
fits(const struct wish *w, char *line, struct semver *v)
{
	char *own = strpbrk(line, " \t");

	if (own != NULL)
		*own++ = '\0';
	if (semver_parse(line, v) == -1 || semver_admits(w->range, v, NULL) != 1)
		return false;
	return w->admits == NULL || own == NULL || *own == '\0' || semver_admits(own, w->admits, NULL) == 1;
}

static int
pick(const struct wish *w, FILE *in)
{
	struct semver best = { 0 }, v;
	char line[LINE_MAX_BYTES], found[LINE_MAX_BYTES] = "";

	while (fgets(line, sizeof(line), in) != NULL) {
		line[strcspn(line, "\r\n")] = '\0';
		if (fits(w, line, &v) && (found[0] == '\0' || semver_cmp(&v, &best) > 0)) {
			best = v;
			snprintf(found, sizeof(found), "%s", line);
		}
	}
	if (found[0] == '\0')
		return NONE;
	puts(found);
	return FOUND;
}

int
version_pick(int argc, char **argv)
{
	struct semver admits, any = { 0 };
	struct fl_err err = { 0 };
	struct wish w = { 0 };
	int i = 1;

	if (argc == 4 && strcmp(argv[1], "-admits") == 0) {
		if (semver_parse(argv[2], &admits) == -1) {
			fprintf(stderr, "\"%.100s\" is not a version\n", argv[2]);
			return USAGE;
		}
		w.admits = &admits;
		i = 3;
	}
	if (argc != i + 1) {
		fputs("usage: flynn-slugbuilder semver-pick [-admits VERSION] RANGE <versions\n", stderr);
		return USAGE;
	}
	w.range = argv[i];
	if (semver_admits(w.range, &any, &err) == -1) {
		fprintf(stderr, "%s\n", err.msg);
		return USAGE;
	}
	return pick(&w, stdin);
}
