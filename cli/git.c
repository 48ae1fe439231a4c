#include <git2.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "cli/git.h"
#include "libflynn/err.h"
#include "libflynn/xmalloc.h"

static git_repository *
repository_here(void)
{
	git_repository *repo = NULL;

	git_libgit2_init();
	/* A working copy that belongs to somebody else is still the one the user stands in: we only read its remotes. */
	git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0);
	if (git_repository_open_ext(&repo, ".", 0, NULL) != 0)
		return NULL;
	return repo;
}

/* Where git push goes for this remote; borrowed. */
static const char *
push_url(const git_remote *remote)
{
	const char *url = git_remote_pushurl(remote);

	return url != NULL ? url : git_remote_url(remote);
}

bool
git_each_remote(void (*visit)(const char *name, const char *url, void *arg), void *arg)
{
	git_repository *repo = repository_here();
	git_strarray names = { 0 };

	if (repo == NULL)
		return false;
	if (git_remote_list(&names, repo) == 0) {
		for (size_t i = 0; i < names.count; i++) {
			git_remote *remote = NULL;
			const char *url;

			if (git_remote_lookup(&remote, repo, names.strings[i]) != 0)
				continue;
			if ((url = push_url(remote)) != NULL)
				visit(names.strings[i], url, arg);
			git_remote_free(remote);
		}
		git_strarray_dispose(&names);
	}
	git_repository_free(repo);
	return true;
}

char *
git_flynn_remote(void)
{
	git_repository *repo = repository_here();
	git_config *config = NULL;
	git_buf value = { 0 };
	char *name = NULL;

	if (repo != NULL && git_repository_config_snapshot(&config, repo) == 0 &&
	    git_config_get_string_buf(&value, config, "flynn.remote") == 0)
		name = fl_xstrdup(value.ptr);
	git_buf_dispose(&value);
	git_config_free(config);
	git_repository_free(repo);
	return name;
}

/* Where the remote points to now, if it is another place than url; caller frees. */
static char *
points_elsewhere(git_repository *repo, const char *name, const char *url)
{
	git_remote *remote = NULL;
	char *elsewhere = NULL;

	if (git_remote_lookup(&remote, repo, name) == 0 && push_url(remote) != NULL && strcmp(push_url(remote), url) != 0)
		elsewhere = fl_xstrdup(push_url(remote));
	git_remote_free(remote);
	return elsewhere;
}

int
git_set_remote(const char *name, const char *url, char **replaced, struct fl_err *err)
{
	git_repository *repo = repository_here();
	git_remote *remote = NULL;
	int r = 0;

	*replaced = NULL;
	if (repo == NULL)
		return fl_err_set(err, FL_ERR_NOT_FOUND, "this is no git repository");
	*replaced = points_elsewhere(repo, name, url);
	git_remote_delete(repo, name);
	if (git_remote_create(&remote, repo, name, url) != 0)
		r = fl_err_set(err, FL_ERR_INVALID, "%s", git_error_last() != NULL ? git_error_last()->message : "git does not say why");
	git_remote_free(remote);
	git_repository_free(repo);
	return r;
}
