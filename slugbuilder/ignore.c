/* ignore - .slugignore: which files of the app are left out of its slug. */
#include "slugbuilder/ignore.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "libflynn/xmalloc.h"

struct pattern {
	char *glob;
	bool anchored; /* matched with the whole path, not with the name alone */
	bool only_dirs;
	int flags; /* of fnmatch */
};

struct ignore {
	struct pattern *patterns;
	size_t n;
};

static void
add_pattern(struct ignore *ig, const char *s, size_t len)
{
	struct pattern p = { 0 };

	if (s[len - 1] == '/') {
		p.only_dirs = true;
		len--;
	}
	p.anchored = memchr(s, '/', len) != NULL;
	if (len > 3 && memcmp(s, "**/", 3) == 0 && memchr(s + 3, '/', len - 3) == NULL) {
		p.anchored = false; /* at any depth, as a bare name */
		s += 3;
		len -= 3;
	} else if (len > 0 && *s == '/') {
		s++;
		len--;
	}
	if (len == 0)
		return;
	p.glob = fl_xstrndup(s, len);
	p.flags = strstr(p.glob, "**") != NULL ? 0 : FNM_PATHNAME;
	ig->patterns = fl_xreallocarray(ig->patterns, ig->n + 1, sizeof(*ig->patterns));
	ig->patterns[ig->n++] = p;
}

struct ignore *
ignore_new(const char *text, size_t len)
{
	struct ignore *ig = fl_xcalloc(1, sizeof(*ig));
	const char *end = text + len;

	while (len > 0 && text < end) {
		const char *nl = memchr(text, '\n', end - text);
		const char *s = text, *stop = nl != NULL ? nl : end;

		text = stop + 1;
		while (stop > s && strchr(" \t\r", stop[-1]) != NULL)
			stop--;
		if (stop > s && *s != '#' && *s != '!' && memchr(s, '\0', stop - s) == NULL)
			add_pattern(ig, s, stop - s);
	}
	return ig;
}

void
ignore_free(struct ignore *ig)
{
	if (ig == NULL)
		return;
	for (size_t i = 0; i < ig->n; i++)
		free(ig->patterns[i].glob);
	free(ig->patterns);
	free(ig);
}

bool
ignore_matches(const struct ignore *ig, const char *path, bool is_dir)
{
	const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path;

	if (strcmp(name, ".git") == 0)
		return true;
	for (size_t i = 0; i < ig->n; i++) {
		const struct pattern *p = &ig->patterns[i];

		if (p->only_dirs && !is_dir)
			continue;
		if (fnmatch(p->glob, p->anchored ? path : name, p->flags) == 0)
			return true;
	}
	return false;
}
