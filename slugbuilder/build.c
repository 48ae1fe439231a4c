/*
 * build - the steps of one build, in their order.
 *
 * Each step that fails says so to the person who pushed, in one sentence, where it happens.
 */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/json.h"
#include "libflynn/map.h"
#include "libflynn/xmalloc.h"
#include "slugbuilder/buildpack.h"
#include "slugbuilder/cache.h"
#include "slugbuilder/child.h"
#include "slugbuilder/env.h"
#include "slugbuilder/ignore.h"
#include "slugbuilder/output.h"
#include "slugbuilder/pack.h"
#include "slugbuilder/procfile.h"
#include "slugbuilder/release.h"
#include "slugbuilder/slug.h"
#include "slugbuilder/slugbuilder.h"
#include "slugbuilder/textfile.h"
#include "slugbuilder/tree.h"
#include "slugbuilder/unpack.h"
#include "slugbuilder/upload.h"
#include "slugbuilder/user.h"

static const struct unpack_limits source_limits = { .bytes = INT64_C(4) << 30, .entries = 500000 };

struct build {
	const struct slugbuilder_config *cfg;
	struct output out;
	struct user user;
	char *cache_dir, *env_dir, *custom_dir;
	struct fl_json *vars;
	char **env;
	struct cache cache;
	struct buildpack_site site;
	struct buildpack pack;
};

/* Say why, and that is the end. */
static int
failed(const struct build *b, const char *what, const struct fl_err *err)
{
	output_problem(&b->out, "%s: %s", what, err->msg);
	return -1;
}

static int
prepare(struct build *b, struct fl_err *err)
{
	const struct slugbuilder_config *cfg = b->cfg;

	if (child_init(err) == -1 || user_find(cfg->user, &b->user, err) == -1 ||
	    (b->vars = env_parse(cfg->build_env, err)) == NULL || tree_make(cfg->app_dir, &b->user, err) == -1)
		return -1;
	b->cache_dir = fl_xasprintf("%s/cache", cfg->work_dir);
	b->env_dir = fl_xasprintf("%s/env", cfg->work_dir);
	b->custom_dir = fl_xasprintf("%s/buildpack", cfg->work_dir);
	b->env = env_for_buildpack(&(struct env_about){ cfg->app_dir, cfg->stack, &b->user });
	b->cache = (struct cache){ .dir = b->cache_dir, .get_url = cfg->cache_get_url, .put_url = cfg->cache_put_url,
		.work_dir = cfg->work_dir, .user = &b->user, .out = &b->out };
	b->site = (struct buildpack_site){ .app_dir = cfg->app_dir, .cache_dir = b->cache_dir, .env_dir = b->env_dir,
		.env = b->env, .user = &b->user, .timeout_s = cfg->timeout_s, .out = &b->out };
	for (size_t i = 0; i < fl_json_len(b->vars); i++)
		if (!env_is_name(fl_json_key_at(b->vars, i)))
			output_problem(&b->out, "The build does not get the variable %.100s: buildpacks know names of letters, digits and _ alone.",
			    fl_json_key_at(b->vars, i));
	if (tree_make(b->env_dir, &b->user, err) == -1 || tree_make(b->custom_dir, &b->user, err) == -1)
		return -1;
	return env_write(b->vars, b->env_dir, &b->user, err);
}

static int
receive_source(struct build *b, struct fl_err *err)
{
	int64_t entries;

	user_enter(&b->user);
	entries = unpack_fd(STDIN_FILENO, b->cfg->app_dir, &source_limits, err);
	user_leave();
	if (entries == 0)
		return fl_err_set(err, FL_ERR_INVALID, "it is empty; a tar of the app is expected on standard input");
	return entries == -1 ? -1 : 0;
}

static int
choose_buildpack(struct build *b)
{
	const char *url = fl_json_str(fl_json_get(b->vars, "BUILDPACK_URL"), b->cfg->buildpack_url);
	struct fl_err err = { 0 };

	if (url != NULL && *url != '\0') {
		output_title(&b->out, "Fetching custom buildpack");
		if (buildpack_fetch(&b->pack, url, b->custom_dir, &b->site, &err) == -1)
			return failed(b, "Build failed", &err);
	} else if (buildpack_select(&b->pack, b->cfg->buildpacks_dir, &b->site, &err) == -1) {
		output_title(&b->out, "Unable to select a buildpack");
		if (err.kind != FL_ERR_NOT_FOUND)
			return failed(b, "Build failed", &err);
		output_problem(&b->out, "No package.json and no Procfile was found at the top of the app: "
					"add one of them, or set BUILDPACK_URL to the git URL of a buildpack.");
		return -1;
	}
	if (*b->pack.title != '\0')
		output_title(&b->out, "%s app detected", b->pack.title);
	return 0;
}

/* The name, as text of a file in the app; NULL when it has none. */
static int
read_app_file(const struct build *b, const char *name, size_t max, struct fl_buf *text, struct fl_err *err)
{
	int rc;

	user_enter(&b->user);
	rc = textfile_read(b->cfg->app_dir, name, max, text, err);
	user_leave();
	return rc;
}

/* Keep what bin/release says for the runner, as the file .release. */
static int
write_release(const struct build *b, const struct fl_buf *yaml, struct fl_err *err)
{
	int rc;

	user_enter(&b->user);
	rc = textfile_write(b->cfg->app_dir, ".release", yaml, err);
	user_leave();
	return rc;
}

/* Tell which process types there are; gitreceive reads this line. */
static int
discover_types(const struct build *b, const struct fl_buf *yaml, struct fl_err *err)
{
	struct fl_map *declared = fl_map_new(), *defaults = fl_map_new();
	struct fl_buf procfile = { 0 }, names = { 0 };
	int rc = -1;

	output_title(&b->out, "Discovering process types");
	if (read_app_file(b, "Procfile", PROCFILE_MAX_BYTES, &procfile, err) == -1 ||
	    procfile_parse(fl_buf_cstr(&procfile), procfile.len, declared, err) == -1)
		goto out;
	release_parse(fl_buf_cstr(yaml), yaml->len, NULL, defaults);
	if (fl_map_count(declared) > 0) {
		procfile_names(declared, &names);
		output_text(&b->out, "Procfile declares types -> %s", names.data);
	} else if (fl_map_count(defaults) > 0) {
		procfile_names(defaults, &names);
		output_text(&b->out, "Default types for %s -> %s", b->pack.title, names.data);
	} else {
		output_text(&b->out, "None found: add a Procfile with a line such as \"web: COMMAND\"");
	}
	rc = 0;
out:
	fl_buf_release(&names);
	fl_buf_release(&procfile);
	fl_map_free_with(defaults, free);
	fl_map_free_with(declared, free);
	return rc;
}

static int
compile(struct build *b)
{
	struct fl_buf yaml = { 0 };
	struct fl_err err = { 0 };
	int rc = -1;

	if (buildpack_compile(&b->pack, &b->site, &err) == 0 &&
	    buildpack_describe(&b->pack, &b->site, &yaml, &err) == 0 && write_release(b, &yaml, &err) == 0 &&
	    discover_types(b, &yaml, &err) == 0)
		rc = 0;
	else
		failed(b, "Build failed", &err);
	fl_buf_release(&yaml);
	return rc;
}

static int
deliver(const struct build *b, int fd, int64_t size, struct fl_err *err)
{
	if (b->cfg->slug_put_url != NULL)
		return upload(b->cfg->slug_put_url, fd, size, PACK_MEDIA_TYPE, err);
	return slug_save(fd, size, b->cfg->output, err);
}

static int
make_slug(struct build *b)
{
	struct fl_buf text = { 0 };
	struct ignore *ignore = NULL;
	struct fl_err err = { 0 };
	char shown[SLUG_SIZE_LEN];
	int64_t size = -1;
	int fd = -1, rc = -1;

	if (read_app_file(b, ".slugignore", IGNORE_MAX_BYTES, &text, &err) == -1)
		goto out;
	ignore = ignore_new(text.data, text.len);
	if ((size = slug_pack(b->cfg->app_dir, ignore, b->cfg->work_dir, &b->user, &fd, &err)) == -1)
		goto out;
	slug_format_size(size, shown);
	output_title(&b->out, "Compiled slug size is %s", shown);
	if (deliver(b, fd, size, &err) == -1) {
		fl_err_wrap(&err, "the slug could not be stored");
		goto out;
	}
	rc = 0;
out:
	if (rc == -1)
		failed(b, "Build failed", &err);
	if (fd != -1)
		close(fd);
	ignore_free(ignore);
	fl_buf_release(&text);
	return rc;
}

static void
release(struct build *b)
{
	buildpack_release(&b->pack);
	env_free(b->env);
	fl_json_free(b->vars);
	free(b->cache_dir);
	free(b->env_dir);
	free(b->custom_dir);
}

int
build(const struct slugbuilder_config *cfg)
{
	struct build b = { .cfg = cfg, .out = { .fd = STDOUT_FILENO } };
	struct fl_err err = { 0 };
	int rc = -1;

	umask(022);
	if (prepare(&b, &err) == -1) {
		failed(&b, "Cannot build", &err);
		goto out;
	}
	if (receive_source(&b, &err) == -1) {
		failed(&b, "Cannot read the source", &err);
		goto out;
	}
	cache_restore(&b.cache);
	if (choose_buildpack(&b) == -1 || compile(&b) == -1 || make_slug(&b) == -1)
		goto out;
	cache_store(&b.cache);
	rc = 0;
out:
	release(&b);
	return rc;
}
