/*
 * buildpack - what turns source into something that runs: bin/detect, bin/compile, bin/release.
 *
 * The contract is Heroku's: detect BUILD_DIR says whether it fits and prints a name; compile BUILD_DIR
 * CACHE_DIR ENV_DIR does the work; release BUILD_DIR prints YAML (see release.h).
 */
#ifndef SLUGBUILDER_BUILDPACK_H
#define SLUGBUILDER_BUILDPACK_H

struct fl_buf;
struct fl_err;
struct output;
struct user;

/* Where and as whom the programs of a buildpack run. */
struct buildpack_site {
	const char *app_dir, *cache_dir, *env_dir;
	char *const *env;
	const struct user *user;
	int timeout_s;
	const struct output *out;
};

struct buildpack {
	char *dir;
	char *name;  /* of its directory */
	char *title; /* what detect printed: "Node.js" */
};

void buildpack_release(struct buildpack *b);

/* Clone "url" or "url#treeish" into dir and take it, whatever its detect says. */
int buildpack_fetch(struct buildpack *b, const char *url, const char *dir, const struct buildpack_site *site, struct fl_err *err);
/* The first one in dir, in order of names, that fits. NOT_FOUND when none does. */
int buildpack_select(struct buildpack *b, const char *dir, const struct buildpack_site *site, struct fl_err *err);
/* Run compile, its output relayed. */
int buildpack_compile(const struct buildpack *b, const struct buildpack_site *site, struct fl_err *err);
/* What bin/release prints; nothing when the buildpack has none. */
int buildpack_describe(const struct buildpack *b, const struct buildpack_site *site, struct fl_buf *yaml, struct fl_err *err);

#endif
