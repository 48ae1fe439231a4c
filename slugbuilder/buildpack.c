/* buildpack - what turns source into something that runs. */
#include "slugbuilder/buildpack.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libflynn/buf.h"
#include "libflynn/err.h"
#include "libflynn/xmalloc.h"
#include "slugbuilder/child.h"
#include "slugbuilder/output.h"
#include "slugbuilder/release.h"

#define TITLE_MAX_BYTES 100
#define ANSWER_MAX_BYTES 4096

/* The name on the wire of a push for a buildpack that came from BUILDPACK_URL. */
#define CUSTOM "custom"

void
buildpack_release(struct buildpack *b)
{
	free(b->dir);
	free(b->name);
	free(b->title);
	*b = (struct buildpack){ 0 };
}

static int
run(const char *const *argv, const struct buildpack_site *site, struct fl_buf *answer, size_t answer_max,
    struct fl_err *err)
{
	struct child c = {
		.argv = argv,
		.env = site->env,
		.dir = site->app_dir,
		.user = site->user,
		.timeout_s = site->timeout_s,
		.answer = answer,
		.answer_max = answer_max,
	};

	return child_run(&c, site->out, err);
}

/* What detect printed, cut to one printable line. */
static char *
read_title(const struct fl_buf *answer)
{
	const char *s = fl_buf_cstr(answer);
	size_t len;

	s += strspn(s, " \t\r\n");
	len = strcspn(s, "\r\n");
	return fl_xstrndup(s, len < TITLE_MAX_BYTES ? len : TITLE_MAX_BYTES);
}

/* 1 when it fits, 0 when not; tells its title, "" when it does not fit. */
static int
detect(struct buildpack *b, const struct buildpack_site *site, struct fl_err *err)
{
	char *program = fl_xasprintf("%s/bin/detect", b->dir);
	const char *const argv[] = { program, site->app_dir, NULL };
	struct fl_buf answer = { 0 };
	int status = run(argv, site, &answer, ANSWER_MAX_BYTES, err);

	b->title = status == 0 ? read_title(&answer) : fl_xstrdup("");
	fl_buf_release(&answer);
	free(program);
	return status == -1 ? -1 : status == 0;
}

/* A step of git; status others than 0 are errors. */
static int
git(const char *const *argv, const struct buildpack_site *site, const char *what, struct fl_err *err)
{
	int status = run(argv, site, NULL, 0, err);

	if (status > 0)
		return fl_err_set(err, FL_ERR_UNAVAILABLE, "%s: git exited %d", what, status);
	return status;
}

/* A branch or tag is cloned shallow; a commit cannot be, so then all is. */
static int
clone(const char *url, const char *treeish, const char *dir, const struct buildpack_site *site, struct fl_err *err)
{
	const char *const shallow[] = { "git", "clone", "--quiet", "--depth=1", "--recurse-submodules",
		"--shallow-submodules", "--", url, dir, NULL };
	const char *const whole[] = { "git", "clone", "--quiet", "--", url, dir, NULL };
	const char *const checkout[] = { "git", "-C", dir, "checkout", "--quiet", treeish, "--", NULL };
	const char *const submodules[] = { "git", "-C", dir, "submodule", "--quiet", "update", "--init", "--recursive", NULL };

	if (treeish == NULL)
		return git(shallow, site, "cannot fetch the buildpack", err);
	if (git(whole, site, "cannot fetch the buildpack", err) == -1 ||
	    git(checkout, site, "the buildpack has no such branch, tag or commit", err) == -1)
		return -1;
	return git(submodules, site, "cannot fetch the buildpack's submodules", err);
}

int
buildpack_fetch(struct buildpack *b, const char *url, const char *dir, const struct buildpack_site *site, struct fl_err *err)
{
	const char *hash = strrchr(url, '#');
	char *plain = hash != NULL ? fl_xstrndup(url, hash - url) : fl_xstrdup(url);
	char *compile = fl_xasprintf("%s/bin/compile", dir);
	int rc = -1;

	*b = (struct buildpack){ .dir = fl_xstrdup(dir), .name = fl_xstrdup(CUSTOM) };
	if (hash != NULL && hash[1] == '-') {
		fl_err_set(err, FL_ERR_INVALID, "\"%.100s\" is no branch, tag or commit", hash + 1);
		goto out;
	}
	if (clone(plain, hash != NULL && hash[1] != '\0' ? hash + 1 : NULL, dir, site, err) == -1)
		goto out;
	if (access(compile, F_OK) == -1) {
		fl_err_set(err, FL_ERR_INVALID, "BUILDPACK_URL is no buildpack: it has no bin/compile");
		goto out;
	}
	rc = detect(b, site, err) == -1 ? -1 : 0;
out:
	free(compile);
	free(plain);
	if (rc == -1)
		buildpack_release(b);
	return rc;
}

static int
is_visible(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

/* 1 when the buildpack dir/name fits, and is now *b. */
static int
try(struct buildpack *b, const char *dir, const char *name, const struct buildpack_site *site, struct fl_err *err)
{
	struct buildpack one = { .dir = fl_xasprintf("%s/%s", dir, name), .name = fl_xstrdup(name) };
	int fits = detect(&one, site, err);

	if (fits == 1)
		*b = one;
	else
		buildpack_release(&one);
	return fits;
}

int
buildpack_select(struct buildpack *b, const char *dir, const struct buildpack_site *site, struct fl_err *err)
{
	struct dirent **names = NULL;
	int n = scandir(dir, &names, is_visible, alphasort), fits = 0;

	if (n == -1)
		return fl_err_sys(err, "look for buildpacks in %s", dir);
	for (int i = 0; i < n; i++) {
		if (fits == 0)
			fits = try(b, dir, names[i]->d_name, site, err);
		free(names[i]);
	}
	free(names);
	if (fits == 0)
		return fl_err_set(err, FL_ERR_NOT_FOUND, "no buildpack of %s fits", dir);
	return fits == 1 ? 0 : -1;
}

int
buildpack_compile(const struct buildpack *b, const struct buildpack_site *site, struct fl_err *err)
{
	char *program = fl_xasprintf("%s/bin/compile", b->dir);
	const char *const argv[] = { program, site->app_dir, site->cache_dir, site->env_dir, NULL };
	int status = run(argv, site, NULL, 0, err);

	free(program);
	if (status > 0)
		return fl_err_set(err, FL_ERR_INVALID, "buildpack %s's compile exited %d", b->name, status);
	return status;
}

int
buildpack_describe(const struct buildpack *b, const struct buildpack_site *site, struct fl_buf *yaml, struct fl_err *err)
{
	char *program = fl_xasprintf("%s/bin/release", b->dir);
	const char *const argv[] = { program, site->app_dir, NULL };
	int status = access(program, F_OK) == 0 ? run(argv, site, yaml, RELEASE_MAX_BYTES, err) : 0;

	free(program);
	if (status > 0)
		return fl_err_set(err, FL_ERR_INVALID, "buildpack %s's release exited %d", b->name, status);
	return status;
}
