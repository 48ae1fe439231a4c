/* tree - directories that belong to the unprivileged user. */
#include "slugbuilder/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libflynn/err.h"
#include "libflynn/xmalloc.h"
#include "slugbuilder/user.h"

int
tree_is_empty(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e = NULL;

	if (d == NULL)
		return 1;
	while ((e = readdir(d)) != NULL)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			break;
	closedir(d);
	return e == NULL;
}

static int
make_parents(const char *dir)
{
	char *path = fl_xstrdup(dir);
	int rc = 0;

	for (char *s = strchr(path + 1, '/'); rc == 0 && s != NULL; s = strchr(s + 1, '/')) {
		*s = '\0';
		rc = mkdir(path, 0755) == -1 && errno != EEXIST ? -1 : 0;
		*s = '/';
	}
	free(path);
	return rc;
}

int
tree_make(const char *dir, const struct user *u, struct fl_err *err)
{
	if (make_parents(dir) == -1 || (mkdir(dir, 0755) == -1 && errno != EEXIST))
		return fl_err_sys(err, "make %s", dir);
	if (!tree_is_empty(dir))
		return fl_err_set(err, FL_ERR_CONFLICT, "%s is not empty", dir);
	if (lchown(dir, u->uid, u->gid) == -1)
		return fl_err_sys(err, "give %s to %s", dir, u->name);
	return 0;
}

void
tree_clear(const char *dir, const struct user *u)
{
	char *copy = fl_xstrdup(dir), *paths[] = { copy, NULL };
	FTSENT *f;
	FTS *walk;

	user_enter(u);
	walk = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	while (walk != NULL && (f = fts_read(walk)) != NULL) {
		if (f->fts_level == FTS_ROOTLEVEL)
			continue;
		if (f->fts_info == FTS_D)
			chmod(f->fts_accpath, 0700); /* else what is in it could not be removed */
		else
			remove(f->fts_accpath);
	}
	if (walk != NULL)
		fts_close(walk);
	user_leave();
	free(copy);
}
